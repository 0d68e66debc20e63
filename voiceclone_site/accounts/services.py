"""API tokens: issued, shown once, checked at every call, revoked. And the address that somebody logs in with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from voiceclone_site.accounts import tokens
from voiceclone_site.accounts.errors import (
    MoreThanOwn,
    OwnerInactive,
    TokenElsewhere,
    TokenExpired,
    TokenMalformed,
    TokenRevoked,
    TokenUnknown,
)
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope, StaffScope
from voices import plans
from voices.errors import InvalidInput
from voices.plain_sql import Lookup

LAST_USED_GRAIN = timedelta(minutes=1)
MOST_PER_MINUTE = 100_000
MOST_NETWORKS = 50


def scopes_for(user: User) -> list[tuple[str, Any]]:
    """What a token of this person may be given: value and label."""
    return [*Scope.choices, *(StaffScope.choices if user.is_staff else [])]


def issue_token(
    user: User,
    *,
    name: str,
    scopes: Collection[str],
    expires_at: datetime | None,
    addresses: Collection[str] = (),
    requests_per_minute: int | None = None,
    characters_per_month: int | None = None,
    spend_per_month: Decimal | None = None,
) -> tuple[ApiToken, tokens.Token]:
    """The row, and the token itself, which exists from now on only where the caller puts it. `spend_per_month` in CNY.

    Raises InvalidInput for an empty name, no scopes, a scope that does not exist, an end that has passed, what is no network, a
    limit of less than one request, or a budget below nothing.
    """
    budget = _valid_budget({"characters_per_month": characters_per_month, "spend_per_month": spend_per_month})
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
    if requests_per_minute is not None and not 1 <= requests_per_minute <= MOST_PER_MINUTE:
        sentence = _("Give a number from 1 to %(most)d, or nothing.") % {"most": MOST_PER_MINUTE}
        raise InvalidInput(fields={"requests_per_minute": [sentence]})
    token = tokens.make()
    row = ApiToken.objects.create(
        owner=user,
        name=name,
        prefix=token.prefix,
        digest=token.digest,
        scopes=[scope for scope in offered if scope in scopes],
        expires_at=expires_at,
        addresses=networks(addresses),
        requests_per_minute=requests_per_minute,
        **budget,
    )
    return row, token


def issue_by_token(parent: ApiToken, **wanted: Any) -> tuple[ApiToken, tokens.Token]:
    """As `issue_token`, for a program: the new token may do no more than the one that asks, from no more places, for no longer.

    Raises MoreThanOwn, or InvalidInput.
    """
    if parent.requests_per_minute is not None or parent.has_budget:
        raise MoreThanOwn(_("A token with a limit of its own cannot make others. Make them on the page “API tokens”."))
    _need_no_more(parent, scopes=wanted["scopes"], end=wanted["expires_at"], addresses=wanted["addresses"])
    return issue_token(parent.owner, **wanted)


def change_budget(row: ApiToken, *, by: User, **changed: Any) -> ApiToken:
    """`changed`: `characters_per_month`, `spend_per_month` (CNY) or both; None is no limit. In force at once.

    Raises InvalidInput.
    """
    return plans.change_budget(row, by=by, **_valid_budget(changed))


def change_budget_by_token(asking: ApiToken, row: ApiToken, **changed: Any) -> ApiToken:
    """As `change_budget`, for a program: only of a token that the one that asks could have made, and never by one that has a limit.

    Raises MoreThanOwn, or InvalidInput.
    """
    sentence = _("This token may not change what that one may spend. Change it on the page “API tokens”.")
    if asking.requests_per_minute is not None or asking.has_budget:
        raise MoreThanOwn(sentence)
    try:
        _need_no_more(asking, scopes=row.scopes, end=row.expires_at, addresses=row.addresses)
    except MoreThanOwn:
        raise MoreThanOwn(sentence) from None
    return change_budget(row, by=asking.owner, **changed)


def _valid_budget(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Raises InvalidInput."""
    budget: dict[str, Any] = {}
    wrong: dict[str, Any] = {}
    for name, amount in wanted.items():
        column: Any = ApiToken._meta.get_field(name)
        try:
            budget[name] = column.clean(amount, None)
        except ValidationError as refused:
            wrong[name] = refused.messages
    if wrong:
        raise InvalidInput(fields=wrong)
    return budget


def _need_no_more(
    parent: ApiToken, *, scopes: Collection[str], end: datetime | None, addresses: Collection[str]
) -> None:
    """That a token with these may do no more than its parent. Raises MoreThanOwn, or InvalidInput for what is no address."""
    if beyond := sorted(set(scopes) - set(parent.scopes)):
        raise MoreThanOwn(
            _("This token lacks the scope “%(scope)s” itself, so it cannot give it away.") % {"scope": beyond[0]}
        )
    if parent.expires_at is not None and (end is None or end > parent.expires_at):
        raise MoreThanOwn(_("The new token may not last longer than the one that makes it: give an earlier end."))
    own = [ip_network(each) for each in parent.addresses]
    asked = [ip_network(each) for each in networks(addresses)]
    if own and not (asked and all(any(_lies_in(each, wide) for wide in own) for each in asked)):
        raise MoreThanOwn(
            _("The new token may only be used from where the one that makes it may: give such addresses.")
        )


def networks(addresses: Collection[str]) -> list[str]:
    """Addresses and networks in their usual form. Raises InvalidInput naming the first that is none."""
    found = []
    for each in addresses:
        try:
            found.append(str(ip_network(each.strip(), strict=False)))
        except ValueError:
            sentence = _("“%(address)s” is no address and no network. Write it like 192.0.2.7 or 192.0.2.0/24.")
            raise InvalidInput(fields={"addresses": [sentence % {"address": each.strip()}]}) from None
    if len(found) > MOST_NETWORKS:
        raise InvalidInput(fields={"addresses": [_("Give at most %(most)d networks.") % {"most": MOST_NETWORKS}]})
    return list(dict.fromkeys(found))


def _lies_in(narrow: IPv4Network | IPv6Network, wide: IPv4Network | IPv6Network) -> bool:
    if isinstance(narrow, IPv4Network) and isinstance(wide, IPv4Network):
        return narrow.subnet_of(wide)
    return isinstance(narrow, IPv6Network) and isinstance(wide, IPv6Network) and narrow.subnet_of(wide)


def revoke_token(row: ApiToken) -> None:
    """From now on the token opens nothing. Revoking twice keeps the first time."""
    now = timezone.now()
    if ApiToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=now):
        row.revoked_at = now


_by_prefix: Lookup[ApiToken] = Lookup(
    lambda prefix: ApiToken.objects.select_related("owner").filter(prefix=prefix), ("a prefix",)
)


def check_token(text: str, *, address: str = "") -> ApiToken:
    """The token's row, its owner loaded: one query. Raises the NotLetIn tree.

    `address` is where it is used from; where nobody knows, a token that is bound to addresses is refused.
    """
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
    if not row.may_come_from(address):
        raise TokenElsewhere
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
