"""The provider's own demo of a voice: fetched once, looked at, and kept, for its link is the provider's and may die any day."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.utils.translation import gettext_lazy as _

from voices import leave
from voices.errors import Busy, NotSupported, VoiceNotReady
from voices.models import VoiceClone
from voices.providers.errors import Refused

FETCHING_SECONDS = 60
# By content, for neither the link's ending nor the Content-Type behind it is promised by anybody.
_SIGNS = (
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftyp", "audio/mp4"),
)
_LONGEST_SIGN = 12


@dataclass(frozen=True, slots=True)
class Demo:
    """A kept demo, as `serving.serve` takes a stored file."""

    storage: Storage
    name: str
    content_type: str


def has_demo(voice: VoiceClone) -> bool:
    """Whether there is something to hear now. A link during training belongs to an older training, if to anything."""
    return voice.is_ready and bool(voice.demo_url)


def demo_of(voice: VoiceClone) -> Demo:
    """The demo, from the provider the first time.

    Raises NotSupported where there is none, VoiceNotReady, Busy while somebody else fetches it, or ProviderError.
    """
    if not voice.is_ready:
        raise VoiceNotReady
    if not voice.demo_url:
        raise NotSupported(_("The provider has no demo of this voice."))
    name = _name(voice)
    if not default_storage.exists(name):
        _fetch(voice, name)
    with default_storage.open(name) as kept:
        content_type = _sniffed(kept.read(_LONGEST_SIGN))
    return Demo(storage=default_storage, name=name, content_type=content_type)


def forget(voice: VoiceClone) -> None:
    """After another training, and with the voice."""
    default_storage.delete(_name(voice))


def _fetch(voice: VoiceClone, name: str) -> None:
    key = f"demo-being-fetched:{voice.pk}"
    if not cache.add(key, 1, FETCHING_SECONDS):
        raise Busy(retry_after=2)
    try:
        demos = voice.account.client().demos
        if demos is None:
            raise NotSupported(_("The provider has no demo of this voice."))
        leave.ask(voice.account, "enrollment")
        with leave.watched(voice.account, "enrollment"):
            sound = demos.demo(voice.remote_id, voice.demo_url)
        if not _sniffed(sound[:_LONGEST_SIGN]):
            raise Refused(
                "the demo is no sound file",
                provider=voice.provider,
                sentence=_("What the provider offers as a demo of this voice is not a sound. Please try again later."),
            )
        default_storage.delete(name)
        default_storage.save(name, ContentFile(sound))
    finally:
        cache.delete(key)


def _name(voice: VoiceClone) -> str:
    return f"demos/{voice.pk}"


def _sniffed(head: bytes) -> str:
    """The content type of a sound file by its beginning; empty for anything else."""
    for offset, sign, content_type in _SIGNS:
        if head[offset:].startswith(sign):
            return content_type
    is_bare_mp3 = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return "audio/mpeg" if is_bare_mp3 else ""
