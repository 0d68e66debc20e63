"""The admin speaks the operator's language: every column, field and filter of ours has a name that can be translated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils.functional import Promise

OURS = {"accounts", "synthesis", "voices"}
THE_SAME_EVERYWHERE = {"ID", "SHA-256"}


def shown() -> Iterator[tuple[type[Model], str]]:
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label not in OURS:
            continue
        ours: Any = model_admin
        own = ours.fieldsets or [(None, {"fields": ours.fields or []})]
        filters = [each[0] if isinstance(each, tuple) else each for each in ours.list_filter]
        for name in (*ours.list_display, *flatten_fieldsets(own), *filters, *getattr(ours, "csv_columns", ())):
            yield model, str(name).partition("__")[0]
        for inline in ours.inlines:
            yield from ((inline.model, name) for name in inline.fields)


def test_every_name_that_an_operator_sees_can_be_translated() -> None:
    nameless: set[str] = set()
    for model, name in shown():
        try:
            field: Any = model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if not isinstance(field.verbose_name, Promise) and field.verbose_name not in THE_SAME_EVERYWHERE:
            nameless.add(f"{model.__name__}.{name}")
    assert nameless == set()
