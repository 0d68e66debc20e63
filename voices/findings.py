"""Where a provider's list and ours do not agree, as rows for the operator: what was found last, and what was decided about it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Finding(models.Model):
    class Kind(models.TextChoices):
        ORPHAN = "orphan", _("at the provider, and no row here")
        DUPLICATE = "duplicate", _("made twice for one row")
        GHOST = "ghost", _("a row here, and nothing at the provider")
        EXPIRED = "expired", _("ready here, and not usable at the provider")
        RENAMED = "renamed", _("has another name at the provider")
        IDLE = "idle", _("has not spoken for so long that the provider will remove it")
        DEBT = "debt", _("deleted here, and the provider has not deleted it yet")
        UNDECIDED = "undecided", _("nobody but the operator can say whether it was made")

    account = models.ForeignKey(
        "voices.ProviderAccount",
        on_delete=models.CASCADE,
        related_name="findings",
        verbose_name=_("provider account"),
    )
    kind = models.CharField(_("what does not agree"), max_length=20, choices=Kind.choices)
    remote_id = models.CharField(_("id at the provider"), max_length=200, blank=True)
    voice = models.ForeignKey(
        "voices.VoiceClone", on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("voice")
    )
    is_ours = models.BooleanField(_("made by us"), default=False)
    detail = models.JSONField(_("details"), default=dict, blank=True)
    found_at = models.DateTimeField(_("first found"), default=timezone.now)
    seen_at = models.DateTimeField(_("last found"), default=timezone.now)
    dismissed_at = models.DateTimeField(_("left as it is since"), null=True, blank=True)
    delete_wanted_at = models.DateTimeField(_("to be deleted there since"), null=True, blank=True)
    error = models.TextField(_("why it could not be deleted"), blank=True)

    class Meta:
        app_label = "voices"
        verbose_name = _("reconciliation finding")
        verbose_name_plural = _("reconciliation findings")
        ordering = ["account", "kind", "remote_id", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "remote_id", "voice"],
                name="one_finding_of_a_kind_and_voice",
                condition=models.Q(voice__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["account", "kind", "remote_id"],
                name="one_finding_of_a_kind_and_stranger",
                condition=models.Q(voice__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.remote_id or self.voice_id}"
