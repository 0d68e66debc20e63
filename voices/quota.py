"""Where a new voice goes: to the open account of its provider that has the most room, as far as all limits allow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from django.db.models import F, QuerySet

from voices import ledger
from voices.errors import AccountExhausted, NoAccount
from voices.ledger import Claim
from voices.models import ProviderAccount


@contextmanager
def holding_at_any(provider: str, claims_at: Callable[[ProviderAccount], Sequence[Claim]]) -> Iterator[ProviderAccount]:
    """Hold what a voice needs at the first account where there is room, as `ledger.holding` does; the account is given.

    Raises NoAccount when none is open, AccountExhausted when none has room, LimitReached for the owner's own limits.
    """
    refused: AccountExhausted | None = None
    for account in _roomiest_first(provider):
        with ExitStack() as stack:
            try:
                stack.enter_context(ledger.holding(*claims_at(account)))
            except AccountExhausted as error:
                refused = refused or error
                continue
            yield account
            return
    raise refused or NoAccount


def refuse_if_none_has_room(provider: str, claims_at: Callable[[ProviderAccount], Sequence[Claim]]) -> None:
    """Raises as `holding_at_any` would now, and holds nothing: so that no file travels for what will be refused."""
    refused: AccountExhausted | None = None
    for account in _roomiest_first(provider):
        try:
            ledger.refuse_if_full(*claims_at(account))
        except AccountExhausted as error:
            refused = refused or error
        else:
            return
    raise refused or NoAccount


def _roomiest_first(provider: str) -> QuerySet[ProviderAccount]:
    accounts = ProviderAccount.objects.filter(provider=provider, is_open=True)
    return accounts.order_by(F("voices_held") - F("voice_cap"), "pk")


@contextmanager
def holding_at(account: ProviderAccount, claims: Sequence[Claim]) -> Iterator[ProviderAccount]:
    """The same for a voice that has its account, and stays there."""
    with ledger.holding(*claims):
        yield account
