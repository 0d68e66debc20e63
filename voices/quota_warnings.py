"""Who has used most of what they or a token of theirs may is told so by `quota.warning`: once at 80 %, and once when all is used.

The row that says so is written with the message, in one transaction, and it alone decides who is told. Another limit has not been
told of yet; nor has what was given back since (voices, storage) and is used again, but of that nobody is told twice a day.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from voices import meters, webhooks
from voices.models import Measure, Meter, QuotaWarning, WebhookEvent
from voices.pricing import plain
from voices.quota_models import LOW_FROM, today

TOLD_OF: Final = (Measure.CHARACTERS, Measure.TRAININGS, Measure.VOICES, Measure.STORAGE)
"""Not of jobs in flight: they end by themselves, often before anybody has read the message."""
ALL: Final = 100
QUIET: Final = timedelta(days=1)
AT_ONCE: Final = 500


def sweep() -> None:
    """Tell whoever has to be told; two queries where there is nobody, however many meters there are."""
    _forget_what_was_given_back()
    running = Meter.objects.filter(is_low=True, period__in=("", meters.month_of(today())))
    people = Q(key__startswith=meters.OF_PEOPLE, measure__in=TOLD_OF)
    tokens = Q(key__startswith=meters.OF_TOKENS, token__owner__isnull=False)
    untold = ~_told(LOW_FROM) | (Q(used__gte=F("cap")) & ~_told(ALL))
    for meter in running.filter(people | tokens).filter(untold).select_related("token").order_by()[:AT_ONCE]:
        _tell(meter)


def _tell(meter: Meter) -> None:
    """Whoever passes both lines at once is told of the second alone."""
    assert meter.cap is not None, "a meter without a limit is never low"
    passed = [LOW_FROM, ALL] if meter.used >= meter.cap else [LOW_FROM]
    with transaction.atomic():
        new = [QuotaWarning.objects.get_or_create(meter=meter, percent=each, limit=meter.cap)[1] for each in passed]
        if new[-1]:
            owner_id = meter.user_id if meter.token is None else meter.token.owner_id
            webhooks.emit(owner_id, WebhookEvent.QUOTA_WARNING, lambda: _said(meter, passed[-1]))


def _said(meter: Meter, percent: int) -> dict[str, Any]:
    """In the words of `GET /quota`, and which line was passed."""
    assert meter.cap is not None
    resets_at, measure = meters.end_of(meter.period), Measure(meter.measure)
    return {
        "measure": meter.measure,
        "token": meter.token and {"id": meter.token.pk, "name": meter.token.name},
        "percent": percent,
        "used": plain(measure, meter.used),
        "limit": plain(measure, meter.cap),
        "left": plain(measure, max(meter.cap - meter.used, 0)),
        "resets_at": resets_at and resets_at.isoformat(),
    }


def _told(percent: int) -> Exists:
    return Exists(QuotaWarning.objects.filter(meter=OuterRef("pk"), percent=percent, limit=OuterRef("cap")))


def _forget_what_was_given_back() -> None:
    past = QuotaWarning.objects.filter(at__lt=timezone.now() - QUIET)
    past.filter(Exists(Meter.objects.filter(pk=OuterRef("meter"), period="", is_low=False))).delete()
