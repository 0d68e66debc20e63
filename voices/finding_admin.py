"""What a provider's list and ours do not agree about, for operators: the list is the preview, and each action checks anew."""

from __future__ import annotations

from functools import partial

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices import reconciling
from voices.asking import Question
from voices.errors import WrongState
from voices.evidence import EvidenceAdmin
from voices.findings import Finding


@admin.register(Finding)
class FindingAdmin(EvidenceAdmin):
    list_display = [
        "kind",
        "account",
        "remote_id",
        "voice",
        "is_ours",
        "seen_at",
        "dismissed_at",
        "delete_wanted_at",
        "error",
    ]
    list_select_related = ["account", "voice"]
    list_filter = ["kind", "account", "is_ours", "found_at", ("dismissed_at", admin.EmptyFieldListFilter)]
    search_fields = ["=remote_id", "=voice__id", "^voice__name"]
    search_help_text = _("Id at the provider, or id of the voice or how its name begins")
    fields = [
        "kind",
        "account",
        "remote_id",
        "voice",
        "is_ours",
        "detail",
        "found_at",
        "seen_at",
        "dismissed_at",
        "delete_wanted_at",
        "error",
    ]
    actions = ["adopt", "delete_there", "believe", "dismiss"]
    fits = {
        "adopt": reconciling.is_waited_for,
        "delete_there": lambda finding: (
            finding.kind in (Finding.Kind.ORPHAN, Finding.Kind.DUPLICATE)
            and finding.is_ours
            and finding.account.traits.can_delete
        ),
        "believe": lambda finding: finding.kind in reconciling.BELIEVED,
        "dismiss": lambda finding: finding.dismissed_at is None,
    }
    asks_first = {
        "delete_there": Question(
            _("What this site made is deleted at the provider, for good. What others made is left alone.")
        ),
    }

    @admin.action(description=_("Give it to the voice it was made for"), permissions=["change"])
    def adopt(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        act = partial(reconciling.adopt, by=str(request.user))
        self.each_by_itself(request, queryset, act, done=_("It is the voice's own; the provider is asked about it."))

    @admin.action(description=_("Delete it at the provider, if we made it"), permissions=["change"])
    def delete_there(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        self.each_by_itself(request, queryset, _delete_there, done=_("It is deleted at the provider."))

    @admin.action(description=_("Let the voice catch up with the provider"), permissions=["change"])
    def believe(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        self.each_by_itself(request, queryset, reconciling.believe, done=_("The provider will be asked now."))

    @admin.action(description=_("Leave it as it is"), permissions=["change"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        self.each_by_itself(request, queryset, reconciling.dismiss, done=_("It stays as it is."))


def _delete_there(finding: Finding) -> None:
    if not reconciling.delete_there(finding):
        sentence = _("It is not deleted yet: {why}. That is owed now, and tried again each night.")
        raise WrongState(format_lazy(sentence, why=finding.error or _("a voice here has this id by now")))
