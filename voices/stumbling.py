"""What nobody foresaw: it ends one step of one voice, is logged, and is shown in the row instead of going round unseen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.utils import timezone

from voices import failures
from voices.durable import back_off
from voices.errors import Fault, StorageUnavailable
from voices.models import VoiceClone, VoiceEvent
from voices.outcomes import fail, outcome_unknown, too_late, write_or_give_back
from voices.providers.errors import OutcomeUnknown

logger = logging.getLogger(__name__)

State = VoiceClone.State

STUMBLES = 8
"""Steps that end in an error nobody foresaw, before the voice is left to the operator."""


@contextmanager
def stumbles_shown(voice: VoiceClone) -> Iterator[None]:
    """An error that nobody foresaw ends this step of this voice: it is logged, the row says so, and it is not repeated for ever."""
    try:
        yield
    except StorageUnavailable as error:
        _wait_for_the_storage(voice, error)
    except Exception:
        logger.exception("voice %s met what nobody foresaw, in state %s", voice.pk, voice.state)
        _stumbled(voice)


def _wait_for_the_storage(voice: VoiceClone, error: StorageUnavailable) -> None:
    """However long that takes: no attempt is counted, and the deadline moves along. A recording is read before anything is sent."""
    wait = timedelta(seconds=error.retry_after)
    write_or_give_back(
        voice,
        attempts=max(voice.attempts - 1, 0),
        due_at=timezone.now() + wait,
        deadline=voice.deadline + wait if voice.deadline else None,
        **failures.kept(error),
    )


def _stumbled(voice: VoiceClone) -> None:
    wait = timezone.now() + back_off(voice.attempts)
    told = failures.kept(Fault())
    if voice.intent:
        outcome_unknown(voice, OutcomeUnknown("interrupted by a fault of ours", provider=voice.provider))
    elif voice.state == State.SUCCESS:
        write_or_give_back(voice, due_at=None)
    elif voice.state == State.DELETING:
        write_or_give_back(voice, due_at=timezone.now() + back_off(voice.attempts, most=3600), **told)
    elif voice.state == State.TRAINING:
        if not too_late(voice):
            write_or_give_back(voice, due_at=wait, **told)
    elif voice.attempts < STUMBLES:
        write_or_give_back(voice, due_at=wait, **told)
    elif voice.state == State.UNKNOWN:
        write_or_give_back(voice, event=VoiceEvent(row=voice, kind="needs_operator"), due_at=None, **told)
    else:
        fail(voice, Fault())
