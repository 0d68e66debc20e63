"""The experiment: speech of the AI-inference product over its WebSocket, sans-IO, with a clone's id as the voice.

    handshake with Authorization and VoiceType -> one JSON message -> frames of base64 MP3, the last with a negative sequence

Its page (read 2026-11) documents stock voices only, so the id has to be in its own list before a connection is opened; what its
errors look like is not published. The request leaves as a binary frame, as in the provider's own sample.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.providers.base import (
    Audio,
    Done,
    Event,
    Send,
    SpeechConnection,
    SpeechRequest,
    SpeechSession,
    Started,
    Usage,
)
from voices.providers.errors import InvalidRequest, ProviderError, ProviderTrouble, StreamBroken, TextRejected
from voices.providers.qiniu.speech_errors import broken_off, handshake_refused, not_listed
from voices.providers.qiniu.traits import SLUG
from voices.providers.qiniu.voice_list import VoiceList
from voices.providers.redaction import redacted
from voices.providers.wire import json_object, mapping, note

# No limit is published; a public client keeps to this (read 2026-11).
MAX_CHARACTERS = 500
FORMAT = "mp3"
SPEED = "speed_ratio"

_SENDABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class QiniuSpeech:
    account_key: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    voices: VoiceList

    def connection(self, request: SpeechRequest) -> SpeechConnection:
        """For one task: the voice stands in the handshake."""
        known = self.voices.knows(request.remote_id)
        return SpeechConnection(
            account_key=self.account_key,
            provider=SLUG,
            url=self.url,
            headers={**self.headers, "VoiceType": request.remote_id},
            inquiry=None if known else partial(self.voices.require, request.remote_id),
        )

    def session(self, request: SpeechRequest) -> SpeechSession:
        """Raises TextRejected, InvalidRequest, and VoiceNotUsable for an id that could not be sent in a header."""
        return QiniuTask(request, secrets=self.secrets)

    def handshake_refused(self, status: int, body: str, *, date: str = "") -> ProviderError | None:
        return handshake_refused(http_status=status, message=redacted(body, secrets=self.secrets))


class QiniuTask:
    """One text. `request_id` is the provider's, known from its first frame on."""

    def __init__(self, request: SpeechRequest, *, secrets: tuple[str, ...] = ()) -> None:
        # A half of a surrogate pair has no UTF-8.
        self._text = request.text.encode(errors="replace").decode()
        if not self._text.strip():
            raise TextRejected("no text", provider=SLUG, sentence=_("Please enter some text."))
        if len(self._text) > MAX_CHARACTERS:
            raise TextRejected(
                f"{len(self._text)} characters where {MAX_CHARACTERS} are taken",
                provider=SLUG,
                sentence=format_lazy(
                    _("This text is too long: {limit} characters at most. Please shorten it."), limit=MAX_CHARACTERS
                ),
            )
        if unknown := request.options.keys() - {SPEED}:
            raise InvalidRequest(f"the speech service takes no {', '.join(sorted(unknown))}", provider=SLUG)
        if request.audio_format != FORMAT:
            raise InvalidRequest(f"the speech service documents no {request.audio_format}", provider=SLUG)
        if not _SENDABLE.fullmatch(request.remote_id):
            raise not_listed()
        self._voice = request.remote_id
        self._speed = float(request.options.get(SPEED) or 1.0)
        self._secrets = secrets
        self._request_id = ""
        self._audio_heard = False

    @property
    def request_id(self) -> str:
        return self._request_id

    def open(self) -> Iterator[Send]:
        audio = {"voice_type": self._voice, "encoding": FORMAT, "speed_ratio": self._speed}
        yield Send(json.dumps({"audio": audio, "request": {"text": self._text}}, ensure_ascii=False).encode())

    def receive(self, frame: str | bytes) -> Iterator[Event]:
        message = json_object(frame)
        if message is None:
            raise self._confused("a frame that is no JSON object")
        if not self._request_id and (request_id := note(message.get("reqid"))):
            self._request_id = request_id
            yield Started(request_id=request_id)
        sequence = message.get("sequence")
        if not isinstance(sequence, int) or isinstance(sequence, bool):
            raise self._told_of_failure(message)
        # The last frame may carry audio as well.
        yield from self._audio(message.get("data"))
        if sequence < 0:
            if not self._audio_heard:
                raise self._confused("an end without any audio")
            yield Done(characters=len(self._text), request_id=self._request_id)

    def connection_lost(self, reason: str) -> ProviderError:
        return StreamBroken(reason, provider=SLUG, request_id=self._request_id, retryable=not self._audio_heard)

    def _audio(self, data: object) -> Iterator[Event]:
        if data in (None, ""):
            return
        try:
            sound = base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError):
            raise self._confused("a payload that is not base64") from None
        if not self._audio_heard:
            self._audio_heard = True
            # How it counts is not published: one for each sign, and the whole text has been sent.
            yield Usage(len(self._text))
        yield Audio(sound)

    def _told_of_failure(self, message: Mapping[str, Any]) -> ProviderError:
        said = mapping(message.get("error")) or message
        words = note(said.get("message") or said.get("msg") or message.get("error"), longest=1000)
        return broken_off(
            code=note(said.get("code")),
            message=redacted(words or "a frame without a sequence", secrets=self._secrets),
            request_id=self._request_id,
            audio_heard=self._audio_heard,
        )

    def _confused(self, detail: str) -> ProviderError:
        return ProviderTrouble(detail, provider=SLUG, request_id=self._request_id, retryable=not self._audio_heard)
