"""A call's way out: whether it may leave for its account now, and what its end teaches about the account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from voices import circuit, rate
from voices.models import ProviderAccount
from voices.providers.errors import ProviderError, RateLimited

Operation = Literal["enrollment", "synthesis"]

PAUSE_UNASKED = 2.0
"""Seconds without calls after "too fast" when the provider does not say how long."""


def ask(account: ProviderAccount, operation: Operation, *, in_background: bool = False) -> None:
    """Take a slot of the account's rate, waiting two seconds for it at most.

    Raises Busy, AccountPaused or CircuitOpen (which are Busy too) when no call may leave now.
    """
    circuit.refuse_if_shut(account)
    rate.wait(account, operation, per_second=per_second(account, operation), reserving=not in_background)
    circuit.begin_try(account)


def reserve(account: ProviderAccount, operation: Operation, *, calls: int = 1) -> list[float]:
    """As `ask`, for whoever must not wait here: takes a slot for each of the calls, and says in how many seconds they come.

    Of an account whose circuit is not closed one call may leave at most, so ask for no more there.
    """
    circuit.refuse_if_shut(account)
    a_second = per_second(account, operation)
    first = rate.reserve(account, operation, per_second=a_second, ahead=rate.LONGEST_WAIT_IN_PLACE, slots=calls)
    circuit.begin_try(account)
    return [max(0.0, first + place / a_second) for place in range(calls)]


def learn(account: ProviderAccount, operation: Operation, error: Exception) -> None:
    """What the error that a call ended with teaches, when nobody stood around it; what is not the provider's teaches nothing."""
    if isinstance(error, ProviderError):
        with suppress(ProviderError), watched(account, operation):
            raise error


@contextmanager
def watched(account: ProviderAccount, operation: Operation) -> Iterator[None]:
    """Around a provider call that `ask` has let go: "too fast" holds back this operation of this account, trouble counts
    towards its circuit breaker. The error goes on to the caller."""
    try:
        yield
    except RateLimited as error:
        rate.hold_back(account, operation, seconds=error.retry_after or PAUSE_UNASKED)
        circuit.failed(account, error)
        raise
    except ProviderError as error:
        circuit.failed(account, error)
        raise
    circuit.answered(account)


def per_second(account: ProviderAccount, operation: Operation) -> float:
    return account.enrollment_rate if operation == "enrollment" else account.synthesis_rate
