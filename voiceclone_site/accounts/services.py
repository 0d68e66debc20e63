"""API tokens: issued, shown once, checked at every call, revoked. And the address that somebody logs in with."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from voiceclone_site.accounts import tokens
from voiceclone_site.accounts.errors import OwnerInactive, TokenExpired, TokenMalformed, TokenRevoked, TokenUnknown
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope, StaffScope
from voices.errors import InvalidInput
from voices.plain_sql import Lookup

LAST_USED_GRAIN = timedelta(minutes=1)


def scopes_for(user: User) -> list[tuple[str, Any]]:
    """What a token of this person may be given: value and label."""
    return [*Scope.choices, *(StaffScope.choices if user.is_staff else [])]


def issue_token(
    user: User, *, name: str, scopes: Collection[str], expires_at: datetime | None
) -> tuple[ApiToken, tokens.Token]:
    """The row, and the token itself, which exists from now on only where the caller puts it.

    Raises InvalidInput for an empty name, no scopes, a scope that does not exist, or an end that has passed.
    """
    name = name.strip()
    if not name or len(name) > 60:
        raise InvalidInput(fields={"name": [_("Give the token a name of 1 to 60 characters.")]})
    offered = [value for value, _label in scopes_for(user)]
    unknown = sorted(set(scopes) - set(offered))
    if unknown or not scopes:
        known = ", ".join(offered)
        raise InvalidInput(
            fields={
                "scopes": [
                    _("“%(scope)s” is not a scope. Choose among: %(known)s.") % {"scope": unknown[0], "known": known}
                    if unknown
                    else _("Choose at least one scope: %(known)s.") % {"known": known}
                ]
            }
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput(fields={"expires_at": [_("The end must lie in the future.")]})
    token = tokens.make()
    row = ApiToken.objects.create(
        owner=user,
        name=name,
        prefix=token.prefix,
        digest=token.digest,
        scopes=[scope for scope in offered if scope in scopes],
        expires_at=expires_at,
    )
    return row, token


def revoke_token(row: ApiToken) -> None:
    """From now on the token opens nothing. Revoking twice keeps the first time."""
    now = timezone.now()
    if ApiToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=now):
        row.revoked_at = now


_by_prefix: Lookup[ApiToken] = Lookup(
    lambda prefix: ApiToken.objects.select_related("owner").filter(prefix=prefix), ("a prefix",)
)


def check_token(text: str) -> ApiToken:
    """The token's row, its owner loaded: one query. Raises the NotLetIn tree."""
    try:
        token = tokens.parse(text)
    except tokens.Malformed:
        raise TokenMalformed from None
    found = _by_prefix(token.prefix)
    if not found or not token.fits(found[0].digest):
        raise TokenUnknown
    row = found[0]
    if row.is_revoked:
        raise TokenRevoked
    if row.is_expired():
        raise TokenExpired
    if not row.owner.is_active:
        raise OwnerInactive
    _note_use(row)
    return row


def _note_use(row: ApiToken) -> None:
    """Once a minute at most, so that a busy token costs no write per call."""
    now = timezone.now()
    stale = now - LAST_USED_GRAIN
    if row.last_used_at is not None and row.last_used_at > stale:
        return
    ApiToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lte=stale), pk=row.pk).update(last_used_at=now)
    row.last_used_at = now


def settle_address(user: User, *, verified: bool = False) -> None:
    """The user's address is the one they log in with, for allauth too, which keeps rows of its own.

    Somebody who was not made by signing up has no such row, and allauth would treat their only address as one that may be removed.
    An address that an operator replaced no longer opens the door.
    """
    rows = EmailAddress.objects.filter(user=user)
    if rows.filter(email=user.email, primary=True).exists():
        return
    with transaction.atomic():
        rows.filter(primary=True).delete()
        EmailAddress.objects.update_or_create(
            user=user,
            email=user.email,
            defaults={"primary": True},
            create_defaults={"primary": True, "verified": verified},
        )
