"""The circuit breaker of a provider account, and the operator's pause: while it is open or paused no call leaves.

closed ──five failures in a row──► open ──its time has come──► trying ──an answer──► closed
   └──the key refused three times───► ▲                           └──── a failure ────► open, for twice as long

Only what says that the provider is unwell counts as a failure; a clear refusal is an answer. A refused key is one that every
further call would meet too, and providers lock accounts that insist: an operator has to act, and a try every quarter of an hour
notices by itself that the key is believed again. Once is not enough, for a gateway in between says 403 on its own account as
well (docs/decisions/0007).

Every change is a conditional update, so that of all processes one makes the try.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from voices import failures
from voices.errors import AccountPaused, CircuitOpen
from voices.models import ProviderAccount, VoiceClone
from voices.providers.errors import (
    CredentialsRejected,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    StreamBroken,
    Unreachable,
)

logger = logging.getLogger(__name__)

Circuit = ProviderAccount.Circuit

OPENS_AFTER = 5
OPENS_AFTER_REFUSED_KEY = 3
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=5)
OPERATORS_WAIT = timedelta(minutes=15)
"""Between two tries with a key that was refused."""
ONE_TRY = timedelta(seconds=90)
"""After which a try without an outcome counts as never made: its process died."""
PAUSE_LOOKED_AT_EVERY = 60.0
TROUBLE = (Unreachable, ProviderTrouble, OutcomeUnknown, StreamBroken)
WORKING: dict[str, Any] = {
    "circuit": Circuit.CLOSED,
    "circuit_failures": 0,
    "circuit_trials": 0,
    "circuit_since": None,
    "circuit_next_at": None,
    "circuit_code": "",
    "circuit_sentence": "",
    "circuit_detail": "",
}


def refuse_if_shut(account: ProviderAccount) -> None:
    """Raises AccountPaused or CircuitOpen, as the row stood when it was read, which is before every step and request."""
    if account.is_paused:
        raise AccountPaused(retry_after=PAUSE_LOOKED_AT_EVERY)
    if account.circuit == Circuit.CLOSED:
        return
    left = (account.circuit_next_at or timezone.now()) - timezone.now()
    if left > timedelta(0):
        raise CircuitOpen(retry_after=left.total_seconds())


def begin_try(account: ProviderAccount) -> None:
    """Of all who come when an open circuit's time is over, one may try. The others get CircuitOpen."""
    if account.circuit == Circuit.CLOSED:
        return
    now = timezone.now()
    broken = ProviderAccount.objects.filter(pk=account.pk).exclude(circuit=Circuit.CLOSED)
    if broken.filter(circuit_next_at__lte=now).update(circuit=Circuit.TRYING, circuit_next_at=now + ONE_TRY):
        account.circuit, account.circuit_next_at = Circuit.TRYING, now + ONE_TRY
    elif broken.exists():
        raise CircuitOpen(retry_after=FIRST_WAIT.total_seconds())


def answered(account: ProviderAccount) -> None:
    """The provider gave an answer, if only a refusal: it is well."""
    if account.circuit == Circuit.CLOSED and not account.circuit_failures:
        return  # as it was read: the usual case costs no query
    since = account.circuit_since
    if _of(account).exclude(circuit=Circuit.CLOSED, circuit_failures=0).update(**WORKING):
        if account.circuit != Circuit.CLOSED:
            logger.warning("provider account %s answers again", account.pk)
            _extend_deadlines(account, since=since)
        _now_is(account, WORKING)


def failed(account: ProviderAccount, error: ProviderError) -> None:
    """What a call ended with. Trouble of the provider's and a refused key count; any other error is an answer."""
    if not isinstance(error, (*TROUBLE, CredentialsRejected)):
        answered(account)
        return
    refused_key = isinstance(error, CredentialsRejected)
    if _of(account).filter(circuit=Circuit.TRYING).exists():
        longer = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(account.circuit_trials + 1, 10))
        _open(account, error, wait=OPERATORS_WAIT if refused_key else longer)
    elif _of(account).filter(circuit=Circuit.CLOSED).update(circuit_failures=F("circuit_failures") + 1):
        account.circuit_failures += 1
        enough = OPENS_AFTER_REFUSED_KEY if refused_key else OPENS_AFTER
        if _of(account).filter(circuit=Circuit.CLOSED, circuit_failures__gte=enough).exists():
            _open(account, error, wait=OPERATORS_WAIT if refused_key else FIRST_WAIT)


def pause(account: ProviderAccount, *, because: str) -> bool:
    """No call leaves for this account until an operator resumes it; rows wait where they are. False: it was paused already."""
    return bool(_of(account).filter(paused_at=None).update(paused_at=timezone.now(), paused_because=because[:200]))


def resume(account: ProviderAccount) -> bool:
    """Calls leave again. What waited gets the time of the pause on top of its deadline."""
    since = _of(account).values_list("paused_at", flat=True).first()
    if since is None or not _of(account).filter(paused_at=since).update(paused_at=None, paused_because=""):
        return False
    _extend_deadlines(account, since=since)
    return True


def try_now(account: ProviderAccount) -> bool:
    """An operator has put something right: the next call is the try, whatever was planned."""
    return bool(_of(account).exclude(circuit=Circuit.CLOSED).update(circuit_next_at=timezone.now()))


def shut() -> Q:
    """The accounts for which no call can leave now, as a condition on ProviderAccount."""
    open_for_longer = ~Q(circuit=Circuit.CLOSED) & Q(circuit_next_at__gt=timezone.now())
    return Q(paused_at__isnull=False) | open_for_longer


def tell_who_waits(waiting: models.QuerySet[Any], *, account: str) -> None:
    """Let rows that cannot go on say why, in one statement for each reason. `account` is their way to the ProviderAccount."""
    silent = waiting.filter(error_code="")
    for accounts, reason in (
        (ProviderAccount.objects.filter(paused_at__isnull=False), AccountPaused(retry_after=0)),
        (ProviderAccount.objects.filter(shut(), paused_at=None), CircuitOpen(retry_after=0)),
    ):
        if pks := list(accounts.values_list("pk", flat=True)):
            silent.filter(**{f"{account}__in": pks}).update(**failures.kept(reason))


def _open(account: ProviderAccount, error: ProviderError, *, wait: timedelta) -> None:
    now = timezone.now()
    told = failures.kept(error)
    fresh = account.circuit == Circuit.CLOSED
    columns: dict[str, Any] = {
        "circuit": Circuit.OPEN,
        "circuit_next_at": now + wait,
        "circuit_code": told["error_code"],
        "circuit_sentence": told["error_sentence"],
        "circuit_detail": str(error)[:2000],
        "circuit_since": now if fresh else account.circuit_since or now,
        "circuit_trials": 0 if fresh else account.circuit_trials + 1,
    }
    _of(account).update(**columns)
    _now_is(account, columns)
    logger.warning("no calls leave for provider account %s until %s: %s", account.pk, now + wait, error)


def _extend_deadlines(account: ProviderAccount, *, since: datetime | None) -> None:
    """Time in which nothing could be asked is nobody's fault: it does not count towards a training's deadline."""
    if since is not None:
        waiting = VoiceClone.objects.filter(account=account.pk, state__in=VoiceClone.IN_PROGRESS, deadline__gt=since)
        waiting.update(deadline=F("deadline") + (timezone.now() - since))


def _of(account: ProviderAccount) -> models.QuerySet[ProviderAccount]:
    return ProviderAccount.objects.filter(pk=account.pk)


def _now_is(account: ProviderAccount, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(account, name, value)
