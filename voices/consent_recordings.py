"""Recordings in which a speaker says that they agree, handed in ahead of the voice that they are evidence for."""

from __future__ import annotations

import re

from django.core.files.base import File
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import samples
from voices.errors import Exhausted, InvalidInput
from voices.intake import EXTENSIONS
from voices.models import ConsentRecording, Owner
from voices.providers.base import SampleRules
from voices.storing import discard, store

MOST = 200
"""Recordings that one person may have; those that are deleted do not count."""
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[0-9A-Za-z]{1,8}){0,3}", re.ASCII)
"""A BCP 47 tag, by its shape."""

# A sentence or two, in a voice that can be told: it is listened to by people, and no voice is made from it.
RULES = SampleRules(
    min_seconds=1.0,
    max_seconds=120.0,
    advised_seconds=(3.0, 30.0),
    min_speech_seconds=0.8,
    min_sample_rate=8_000,
    max_bytes=10 * 1024 * 1024,
    prepared_sample_rate=16_000,
)


def keep(owner: Owner, *, name: str, language: str, recording: File[bytes], filename: str) -> ConsentRecording:
    """Raises InvalidInput (SampleRefused for the recording), or Exhausted."""
    name = valid_name(name)
    if not LANGUAGE.fullmatch(language):
        raise InvalidInput(fields={"language": [_("Give the language as a tag such as zh-CN or en-US.")]})
    if ConsentRecording.objects.of(owner).count() >= MOST:
        raise Exhausted(_("You have too many consent recordings. Delete one that you no longer need."))
    inspection = samples.inspect(recording, rules=RULES, filename=filename)
    samples.refuse(inspection)
    kept = ConsentRecording(
        owner=owner, name=name, language=language, sha256=inspection.sha256, seconds=inspection.seconds
    )
    recording.seek(0)
    store(kept.audio, f"consent.{EXTENSIONS.get(inspection.container, inspection.container)}", recording)
    try:
        kept.save()
    except BaseException:
        discard(kept.audio.storage, kept.audio.name or "")
        raise
    return kept


def rename(recording: ConsentRecording, *, name: str) -> None:
    """Raises InvalidInput."""
    recording.name = valid_name(name)
    recording.save(update_fields=["name"])


def forget(recording: ConsentRecording) -> None:
    """Gone for its owner. The file of one that a voice was made under stays: it is evidence."""
    if not recording.consents.exists():
        recording.audio.storage.delete(recording.audio.name or "")
    ConsentRecording.objects.filter(pk=recording.pk).update(deleted_at=timezone.now())


def valid_name(name: str) -> str:
    """Raises InvalidInput."""
    name = " ".join(name.split())
    if not name or len(name) > 60 or not name.isprintable():
        raise InvalidInput(fields={"name": [_("Give a name of 1 to 60 characters.")]})
    return name
