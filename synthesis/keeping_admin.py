"""*Keep alive* in the admin: beside the actions of voices/, which know nothing of speech."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from synthesis import keeping_services as keeping
from voices.admin import VoiceCloneAdmin
from voices.asking import Question
from voices.errors import WrongState
from voices.finding_admin import FindingAdmin
from voices.findings import Finding
from voices.models import VoiceClone

LABEL = _("Keep alive: let it speak one sign")
DONE = _("It speaks one sign in the background.")
COSTS = Question(
    _(
        "Each of these voices speaks “1” as a job of yours, which nobody has to hear. It costs one synthesis: that sign of your "
        "own characters, and its price at the provider account. Nothing is trained, and the voice's owner pays nothing."
    )
)

admin.site.unregister([Finding, VoiceClone])


@admin.register(Finding)
class SpeakingFindingAdmin(FindingAdmin):
    actions = [*FindingAdmin.actions, "keep_alive"]
    fits = {**FindingAdmin.fits, "keep_alive": lambda finding: finding.kind == Finding.Kind.IDLE}
    asks_first = {**FindingAdmin.asks_first, "keep_alive": COSTS}

    @admin.action(description=LABEL, permissions=["change"])
    def keep_alive(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        def keep(finding: Finding) -> None:
            if finding.kind != Finding.Kind.IDLE or finding.voice is None:
                raise WrongState(_("There is no silent voice here to keep alive."))
            keeping.keep_alive(finding.voice, asked_by=_asker(request))

        self.each_by_itself(request, queryset.select_related("voice__account"), keep, done=DONE)


@admin.register(VoiceClone)
class SpeakingVoiceCloneAdmin(VoiceCloneAdmin):
    actions = [*VoiceCloneAdmin.actions, "keep_alive"]
    fits = {**VoiceCloneAdmin.fits, "keep_alive": keeping.is_forgotten}
    asks_first = {**VoiceCloneAdmin.asks_first, "keep_alive": COSTS}

    @admin.action(description=LABEL, permissions=["change"])
    def keep_alive(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        def keep(voice: VoiceClone) -> None:
            keeping.keep_alive(voice, asked_by=_asker(request))

        self.each_by_itself(request, queryset.select_related("account"), keep, done=DONE)


def _asker(request: HttpRequest) -> Any:
    """Whoever may use the admin is a person of ours."""
    return request.user
