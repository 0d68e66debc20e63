"""Waiting for a training, in words on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.utils.translation import gettext as _

from synthesis.management.voiceclone.exits import Ended, Exit
from synthesis.management.voiceclone.saying import Output
from voices.providers.errors import OutcomeUnknown, ProviderError

LEAST_SECONDS = 0.02


def until(
    ended: Callable[[], bool], *, every: float, patience: float, says: Output, meanwhile: Callable[[], object]
) -> None:
    """Ask `ended` every `every` seconds; `meanwhile` is the word for how it stands.

    Raises Ended when `patience` seconds are over. Nothing that is waited for is stopped by that, nor by Ctrl-C.
    """
    every = max(every, LEAST_SECONDS)
    began = time.monotonic()
    while not ended():
        waited = time.monotonic() - began
        if waited + every > patience:
            sentence = _("Still in work after %(waited)d s. It goes on at the provider; `train status` tells.")
            raise Ended(Exit.STILL_WAITING, sentence % {"waited": waited})
        says.tell(f"{waited:5.0f} s  {meanwhile()}")
        time.sleep(every)


def through_trouble(ended: Callable[[], bool], says: Output) -> Callable[[], bool]:
    """Asking may fail while the training goes on: what can come right by itself is told, and asked again."""

    def asked_again() -> bool:
        try:
            return ended()
        except ProviderError as error:
            if not (error.retryable or isinstance(error, OutcomeUnknown)):
                raise
            says.tell(error.sentence)
            return False

    return asked_again
