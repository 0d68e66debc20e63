"""What a ProviderAccount row says about whether calls may leave: an operator's pause, and the circuit breaker's state.

The services that move these columns are in circuit.py; here they only have a place.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class GuardedAccount(models.Model):
    class Circuit(models.TextChoices):
        CLOSED = "closed", _("calls leave")
        OPEN = "open", _("no calls leave")
        TRYING = "trying", _("one call is tried")

    circuit = models.CharField(
        _("circuit breaker"), max_length=10, choices=Circuit.choices, default=Circuit.CLOSED, editable=False
    )
    circuit_failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    circuit_trials = models.PositiveIntegerField(_("tries in vain"), default=0, editable=False)
    circuit_since = models.DateTimeField(_("broken since"), null=True, blank=True, editable=False)
    circuit_next_at = models.DateTimeField(_("next try"), null=True, blank=True, editable=False)
    circuit_code = models.CharField(_("last failure"), max_length=60, blank=True, editable=False)
    circuit_sentence = models.TextField(_("what the provider did"), blank=True, editable=False)
    circuit_detail = models.TextField(_("provider's words"), blank=True, editable=False)
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True, editable=False)
    paused_because = models.CharField(_("why it is paused"), max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None
