"""A request that carries an Idempotency-Key happens once, however often it is sent (docs/api.md).

The key is taken by one insert, so that of twenty at once one acts. It names the row that will be made (`subject`) before it is
made: whoever takes over from a process that died finds by it whether that had come so far, and can make no second one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices.encryption import EncryptedJSONField
from voices.errors import InvalidInput, KeyInUse, KeyReused

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=120)
"""Longer than any request takes to its answer, or to its first audio."""
ASK_AGAIN = 2.0
LONGEST = 255


class IdempotencyKey(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=LONGEST)
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of what was asked."))
    subject = models.UUIDField(help_text=_("The id of the row that the request makes."))
    token = models.UUIDField()
    lease_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, help_text=_("Empty: it is still being answered."))
    # It may hold what is shown once: a token, the secret of a webhook.
    body = EncryptedJSONField(null=True, help_text=_("The text of the answer."))
    location = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        app_label = "voices"
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_row_per_owner_and_idempotency_key")]

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Turn:
    """The key is ours: act, then `keep` or `forget`. `resumed`: another process had begun; `subject` may exist already."""

    pk: int
    token: uuid.UUID
    subject: uuid.UUID
    resumed: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that this key was given. Without a body it is the sound of the job `subject`."""

    status: int
    body: str
    location: str
    subject: uuid.UUID


def begin(owner: Any, key: str, *, digest: str) -> Turn | Kept:
    """Take the key, or hear what it was answered. Raises InvalidInput, KeyReused for another request, KeyInUse while it runs."""
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            fields={"Idempotency-Key": [_("Please send 1 to 255 printable ASCII characters, such as a UUID.")]}
        )
    now, token = timezone.now(), uuid.uuid4()
    keys = IdempotencyKey.objects.filter(owner=owner, key=key)
    keys.filter(created_at__lt=now - KEPT).delete()
    fresh = IdempotencyKey(
        owner=owner, key=key, digest=digest, subject=uuid.uuid4(), token=token, lease_until=now + LEASE
    )
    IdempotencyKey.objects.bulk_create([fresh], ignore_conflicts=True)
    row = keys.first()
    if row is None:  # whoever had it was refused and has let go of it just now
        raise KeyInUse(retry_after=ASK_AGAIN)
    if row.token == token:
        return Turn(pk=row.pk, token=token, subject=row.subject, resumed=False)
    if row.digest != digest:
        raise KeyReused
    if row.status is not None:
        return Kept(status=row.status, body=row.body or "", location=row.location, subject=row.subject)
    mine = keys.filter(token=row.token, status=None, lease_until__lt=now)
    if not mine.update(token=token, lease_until=now + LEASE):
        raise KeyInUse(retry_after=ASK_AGAIN)
    return Turn(pk=row.pk, token=token, subject=row.subject, resumed=True)


def keep(turn: Turn, *, status: int, body: str = "", location: str = "") -> None:
    """From now on the key is answered with this."""
    _of(turn).update(status=status, body=body or None, location=location)


def forget(turn: Turn) -> None:
    """Nothing was done: the same key may try again."""
    _of(turn).delete()


def forget_old() -> None:
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def _of(turn: Turn) -> models.QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(pk=turn.pk, token=turn.token, status=None)
