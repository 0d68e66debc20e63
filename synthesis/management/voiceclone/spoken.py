"""Texts to read and texts that were spoken: what both ways of doing it print and write."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from synthesis import audio, services
from synthesis.management.voiceclone import asked as flags
from synthesis.management.voiceclone.exits import Ended, Exit
from synthesis.management.voiceclone.saying import Output
from synthesis.services import SpeechOrder
from voices.errors import InvalidInput
from voices.models import Owner, VoiceClone
from voices.providers.base import Event, Progress, ReadingText

STDOUT = "-"


def list_texts(texts: Sequence[ReadingText], says: Output) -> None:
    """A line for each: textId, segId, text."""
    if not texts:
        says.tell(_("This provider takes any speech; there is nothing to read."))
    rows = [(*text.id.rpartition("-")[::2], text.text) for text in texts]
    data = [{"textId": of_set, "segId": own, "segText": text} for of_set, own, text in rows]
    if rows or says.as_json:
        says.result("\n".join("\t".join(row) for row in rows), {"textSegs": data})


def checked(owner: Owner, voice: VoiceClone, text: str, asked: Mapping[str, Any]) -> SpeechOrder:
    """Raises InvalidInput, NotSupported or VoiceNotReady."""
    if voice.model not in {model.slug for model in voice.traits.models}:
        offered = ", ".join(model.slug for model in voice.traits.models)
        sentence = _("There is no such model. Choose one of: {offered}.").format(offered=offered)
        raise InvalidInput(fields={"model": [sentence]})
    return services.check(
        owner,
        voice=voice,
        text=text,
        audio_format=flags.format_of(asked, voice.traits),
        sample_rate=flags.sample_rate_of(asked, voice.traits),
        parameters=flags.speech_of(asked),
    )


def with_progress(events: Iterable[Event], says: Output) -> Iterator[Event]:
    """Where somebody is watching, how far it is."""
    watched = says.err.isatty()
    for event in events:
        if watched and isinstance(event, Progress):
            says.tell(f"{event.share:5.0%}")
        yield event


def write(chunks: Iterable[bytes], order: SpeechOrder, target: str, says: Output) -> None:
    """Into a file beside the target first: what is there is replaced by a whole recording, or not at all.

    Raises Ended where it cannot be written, and whatever speaking raises.
    """
    folder = Path(target).resolve().parent if target != STDOUT else Path(tempfile.gettempdir())
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".voiceclone-")
    except OSError as error:
        raise Ended(Exit.USAGE, _("%(name)s cannot be written: %(why)s.") % _words(target, error)) from None
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        facts = audio.finish(path, order.audio_format, sample_rate=order.sample_rate)
        _put(path, target)
    finally:
        path.unlink(missing_ok=True)
    says.tell(
        _("%(seconds).1f s of %(format)s at %(rate)d Hz, %(bytes)d bytes.")
        % {"seconds": facts.seconds, "format": order.audio_format, "rate": facts.sample_rate, "bytes": facts.bytes}
    )
    if target != STDOUT:
        said = {"output": target, "seconds": facts.seconds, "bytes": facts.bytes, "characters": order.characters}
        says.result(target, said)


def _put(path: Path, target: str) -> None:
    if target == STDOUT:
        with path.open("rb") as spoken:
            shutil.copyfileobj(spoken, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path.chmod(0o666 & ~_umask())
    try:
        path.replace(target)
    except OSError as error:
        raise Ended(Exit.USAGE, _("%(name)s cannot be written: %(why)s.") % _words(target, error)) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _words(target: str, error: OSError) -> dict[str, str]:
    return {"name": target, "why": error.strerror or str(error)}
