"""Actions of operators: what costs or destroys is asked about first, no action takes more rows than somebody can have looked at,
and each can be taken from a row's own page, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from voices.errors import Sentence

MOST_ROWS = 500
MOST_SHOWN = 20
CONFIRMED, BACK = "confirmed", "_back"
Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


@dataclass(frozen=True, slots=True)
class Question:
    """What it would do, in a sentence. `form`: what else has to be said; its fields are read from `request.POST` afterwards."""

    sentence: Sentence
    form: type[forms.Form] | None = None


class AskingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """`asks_first`: by the name of an action, what is asked before it is done. `fits`: which rows have a button for it on their own
    page; every row, where nothing is said. In a list it is the services that refuse what does not fit."""

    asks_first: Mapping[str, Question] = {}
    fits: Mapping[str, Callable[[Any], bool]] = {}
    change_form_template = "admin/row.html"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        return {
            name: (self._careful(name, act) if name != "delete_selected" else act, name, label)
            for name, (act, _name, label) in actions.items()
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        row = more.get("obj")
        if row is not None:
            context["row_actions"] = [
                (name, label)
                for _act, name, label in self.get_actions(request).values()
                if name in self._own_actions and self.fits.get(name, _always)(row)
            ]
        return super().render_change_form(request, context, *args, **more)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **more: Any
    ) -> HttpResponse | None:
        """Back to where the button was: the row's page, or the status page."""
        response = super().response_action(request, queryset, *args, **more)
        if not isinstance(response, HttpResponseRedirect):
            return response
        chosen, back = request.POST.getlist(ACTION_CHECKBOX_NAME), request.POST.get(BACK)
        if back == "row" and len(chosen) == 1:
            return redirect(admin_urlname(self.opts, "change"), chosen[0])  # type: ignore[arg-type]  # not only strings
        return redirect("admin_status") if back == "status" else response

    @cached_property
    def _own_actions(self) -> frozenset[str]:
        return frozenset(str(name) for name in self.actions or ())

    def _careful(self, name: str, act: Action) -> Action:
        @wraps(act)
        def careful(model_admin: Any, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
            if rows.order_by()[: MOST_ROWS + 1].count() > MOST_ROWS:
                most = _("Choose %(most)d rows at most.") % {"most": MOST_ROWS}
                self.message_user(request, most, messages.WARNING)
                return None
            question = self.asks_first.get(name)
            if question is None:
                return act(model_admin, request, rows)
            asked = CONFIRMED in request.POST
            form = question.form(request.POST if asked else None) if question.form else None
            if asked and (form is None or form.is_valid()):
                return act(model_admin, request, rows)
            return self._ask(request, rows, name=name, question=question, form=form)

        return careful

    def _ask(
        self, request: HttpRequest, rows: QuerySet[Any], *, name: str, question: Question, form: forms.Form | None
    ) -> HttpResponse:
        chosen = list(rows)
        context = {
            **self.admin_site.each_context(request),
            "title": self.get_actions(request)[name][2],
            "opts": self.opts,
            "question": question.sentence,
            "form": form,
            "rows": chosen[:MOST_SHOWN],
            "more": max(0, len(chosen) - MOST_SHOWN),
            "chosen": [row.pk for row in chosen],
            "action": name,
            "back": request.POST.get(BACK, ""),
            "list_address": reverse(admin_urlname(self.opts, "changelist")),  # type: ignore[arg-type]
        }
        return TemplateResponse(request, "admin/ask_first.html", context, status=422 if form and form.errors else 200)


def _always(row: object) -> bool:
    return True
