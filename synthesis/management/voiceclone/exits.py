"""How the command ends, for scripts."""

from __future__ import annotations

from enum import IntEnum

from voices.errors import Busy, InvalidInput, PortalError
from voices.providers.errors import ConfigurationError, OutcomeUnknown, ProviderError


class Exit(IntEnum):
    """0 done; 1 refused or failed; 2 asked wrongly; 3 the provider cannot be reached or is unwell, and nothing was used up: the
    same command may work later; 4 still in training when the time was over; 5 nobody knows whether the provider acted: look with
    `train status` before repeating; 130 interrupted."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    LATER = 3
    STILL_WAITING = 4
    UNKNOWN = 5
    INTERRUPTED = 130


class Ended(Exception):
    """The command is over, with a sentence for the person."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def exit_of(error: ProviderError | PortalError | ConfigurationError) -> Exit:
    match error:
        case OutcomeUnknown():
            return Exit.UNKNOWN
        case ProviderError():
            return Exit.LATER if error.retryable else Exit.REFUSED
        case Busy():
            return Exit.LATER
        case InvalidInput() | ConfigurationError():
            return Exit.USAGE
    return Exit.REFUSED
