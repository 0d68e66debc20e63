"""`{% field form.email %}`: a form field with its label, help and errors, as Bootstrap draws it."""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select

register = template.Library()


@register.inclusion_tag("components/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    widget = bound.field.widget
    several = isinstance(widget, CheckboxSelectMultiple | RadioSelect)
    tick = isinstance(widget, CheckboxInput)
    css = "form-check-input" if tick or several else "form-select" if isinstance(widget, Select) else "form-control"
    if bound.errors:
        css += " is-invalid"
    return {
        "field": bound,
        "tick": tick,
        "several": several,
        "css": css,
        "widget": None if several else bound.as_widget(attrs={"class": css, "placeholder": False}),
    }
