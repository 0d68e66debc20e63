"""Synthesis over the duplex WebSocket, sans-IO: JSON for control, binary frames for audio.

    run-task -> (task-started) -> continue-task … -> finish-task -> (results and audio) -> task-finished

What the documents leave open is decided here (2026-11): whatever could be another task's audio ends this one, because the
connection is shared by the users of one account; events and fields that we do not know are passed over.
A streamed WAV begins with a header written before its length was known; whoever stores it has to correct that.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from voices.providers.aliyun.errors import handshake_refused, task_failed
from voices.providers.aliyun.traits import SLUG, TRAITS, count_characters
from voices.providers.base import (
    Audio,
    Done,
    Event,
    Mark,
    OptionValue,
    Send,
    SpeechConnection,
    SpeechRequest,
    SpeechSession,
    Started,
    Usage,
)
from voices.providers.errors import Act, InvalidRequest, ProviderError, ProviderTrouble, StreamBroken, TextRejected
from voices.providers.redaction import redacted
from voices.providers.wire import json_object, mapping, note

# The vendor closes an idle connection after about 60 s (field reports); its own SDK renews at 25 to 35 s.
REUSE_SECONDS = 30.0
# 2 000 was the limit of one continue-task until late 2025 and is safe in every version of the documents.
PIECE_CHARACTERS = 2_000
INSTRUCTION_CHARACTERS = 100
MAX_COUNTED = 10 * TRAITS.max_characters
# Sent at once; the rest follows one by one as answers come in, so that neither side waits with both buffers full.
PIECES_AHEAD = 10
# `json.dumps` makes a new one for each frame.
_JSON = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class AliyunSpeech:
    account_key: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    open_timeout: float = 10.0
    frame_timeout: float = 30.0

    def connection(self, request: SpeechRequest) -> SpeechConnection:
        return SpeechConnection(
            account_key=self.account_key,
            provider=SLUG,
            url=self.url,
            headers=self.headers,
            open_timeout=self.open_timeout,
            frame_timeout=self.frame_timeout,
            reuse_seconds=REUSE_SECONDS,
        )

    def session(self, request: SpeechRequest) -> SpeechSession:
        """Raises TextRejected for empty text and InvalidRequest for an option that the voice's model does not take."""
        return CosyVoiceTask(request, secrets=self.secrets)

    def handshake_refused(self, status: int, body: str, *, date: str = "") -> ProviderError | None:
        said = json_object(body)
        if said is None or not said.get("code"):
            return None
        return handshake_refused(
            code=note(said["code"]),
            message=redacted(str(said.get("message") or ""), secrets=self.secrets),
            http_status=status,
            request_id=note(said.get("request_id")),
        )


class CosyVoiceTask:
    """One synthesis task. A new one, with a new task id, for every try."""

    def __init__(self, request: SpeechRequest, *, secrets: tuple[str, ...] = ()) -> None:
        if not request.text.strip():
            raise TextRejected("no text", provider=SLUG, sentence=_("Please enter some text."))
        self._model = request.model
        self._parameters = _parameters(request)
        whole = bool(self._parameters.get("enable_ssml"))
        self._waiting = deque([request.text] if whole else pieces(request.text, limit=PIECE_CHARACTERS))
        self._secrets = secrets
        self._task_id = uuid.uuid4().hex
        self._request_uuid = ""
        self._started = False
        self._text_is_out = False
        self._audio_heard = False
        self._characters: int | None = None
        self._words: set[tuple[object, ...]] = set()

    @property
    def request_id(self) -> str:
        return self._request_uuid or self._task_id

    def open(self) -> Iterator[Send]:
        yield self._frame("run-task", {}, parameters=self._parameters)

    def receive(self, frame: str | bytes) -> Iterator[Event]:
        speaking = self._started
        if isinstance(frame, bytes):
            yield self._audio(frame)
        else:
            yield from self._event(frame)
        if self._started and not self._text_is_out:
            yield from self._text(1 if speaking else PIECES_AHEAD)

    def connection_lost(self, reason: str) -> ProviderError:
        return StreamBroken(reason, provider=SLUG, request_id=self.request_id, retryable=not self._audio_heard)

    # --- what comes in ---

    def _audio(self, frame: bytes) -> Audio:
        if not self._started:
            raise self._confused("audio before task-started")
        self._audio_heard = True
        return Audio(frame)

    def _event(self, frame: str) -> Iterator[Event]:
        message = json_object(frame)
        if message is None or not isinstance(message.get("header"), dict):
            raise self._confused("a frame that is no event")
        header, payload = message["header"], mapping(message.get("payload"))
        if header.get("task_id", self._task_id) not in (self._task_id, ""):
            raise self._confused("an event of another task")
        self._request_uuid = note(mapping(header.get("attributes")).get("request_uuid")) or self._request_uuid
        event = header.get("event")
        if event == "task-failed":
            raise self._failed(header)
        if event == "task-started":
            self._started = True
            yield Started(request_id=self.request_id)
        yield from self._marks(mapping(mapping(payload.get("output")).get("sentence")))
        yield from self._usage(mapping(payload.get("usage")))
        if event == "task-finished":
            if not self._text_is_out:
                raise self._confused("task-finished before all text was sent")
            yield Done(characters=self._characters, request_id=self.request_id)

    def _marks(self, sentence: Mapping[str, Any]) -> Iterator[Mark]:
        """Words are repeated by later events of their sentence; their times count from the start of the task (field)."""
        words = sentence.get("words")
        for word in words if isinstance(words, list) else ():
            said = mapping(word)
            text, begin, end = said.get("text"), said.get("begin_time"), said.get("end_time")
            if not (isinstance(text, str) and isinstance(begin, int) and isinstance(end, int)):
                continue
            known = (str(sentence.get("index")), str(said.get("begin_index")), begin)
            if known not in self._words:
                self._words.add(known)
                yield Mark(text=text, begin_ms=begin, end_ms=end)

    def _usage(self, usage: Mapping[str, Any]) -> Iterator[Usage]:
        characters = usage.get("characters")
        # More than it could have been told of is no count.
        if not isinstance(characters, int) or isinstance(characters, bool) or not 0 <= characters <= MAX_COUNTED:
            return
        if characters != self._characters:
            self._characters = characters
            yield Usage(characters)

    def _failed(self, header: Mapping[str, Any]) -> ProviderError:
        return task_failed(
            code=note(header.get("error_code")),
            message=redacted(str(header.get("error_message") or ""), secrets=self._secrets),
            request_id=self.request_id,
            audio_heard=self._audio_heard,
        )

    def _confused(self, detail: str) -> ProviderError:
        return ProviderTrouble(detail, provider=SLUG, request_id=self.request_id, retryable=not self._audio_heard)

    # --- what goes out ---

    def _text(self, count: int) -> Iterator[Send]:
        for _index in range(min(count, len(self._waiting))):
            yield self._frame("continue-task", {"text": self._waiting.popleft()})
        if not self._waiting:
            self._text_is_out = True
            yield self._frame("finish-task", {})

    def _frame(self, action: str, given: Mapping[str, str], *, parameters: Mapping[str, object] | None = None) -> Send:
        payload: dict[str, object] = {"input": given}
        if action != "finish-task":
            payload |= {
                "model": self._model,
                "task_group": "audio",
                "task": "tts",
                "function": "SpeechSynthesizer",
            }
        if parameters is not None:
            payload["parameters"] = parameters
        header = {"action": action, "task_id": self._task_id, "streaming": "duplex"}
        return Send(_JSON.encode({"header": header, "payload": payload}))


# --- parameters of run-task ----------------------------------------------------------------------------------------------


def _parameters(request: SpeechRequest) -> dict[str, object]:
    """Raises InvalidRequest. The service itself ignores a name it does not know, so nobody would notice."""
    try:
        model = TRAITS.model(request.model)
        taken, formats = model.speech, model.audio_formats
    except KeyError:
        taken, formats = frozenset(), frozenset(TRAITS.audio_formats)
    if unknown := request.options.keys() - taken:
        raise InvalidRequest(f"{request.model} takes no {', '.join(sorted(unknown))}", provider=SLUG)
    if request.audio_format not in formats:
        raise InvalidRequest(f"{request.model} speaks no {request.audio_format}", provider=SLUG)
    parameters: dict[str, object] = {
        "text_type": "PlainText",
        "voice": request.remote_id,
        "format": request.audio_format,
        "sample_rate": request.sample_rate,
    }
    options = {name: value for name, value in request.options.items() if value != ""}
    if request.audio_format != "opus":
        options.pop("bit_rate", None)
    if "instruction" in options and count_characters(str(options["instruction"])) > INSTRUCTION_CHARACTERS:
        raise InvalidRequest(
            "instruction too long",
            provider=SLUG,
            act=Act.USER,
            sentence=_("The style may have 100 characters, a Han character counting 2. Please shorten it."),
        )
    if language := options.pop("language_hints", None):
        parameters["language_hints"] = [language]
    corrections = options.pop("pronunciation", ""), options.pop("replace", "")
    if any(corrections) and (hot_fix := _hot_fix(*corrections)):
        parameters["hot_fix"] = hot_fix
    return parameters | options


def _hot_fix(pronunciation: OptionValue, replace: OptionValue) -> dict[str, list[dict[str, str]]]:
    given = {"pronunciation": _pairs(str(pronunciation)), "replace": _pairs(str(replace))}
    return {name: pairs for name, pairs in given.items() if pairs}


def _pairs(text: str) -> list[dict[str, str]]:
    pairs = []
    for entry in filter(str.strip, re.split(r"[\n;；]", text)):
        word, equals, instead = (part.strip() for part in entry.partition("="))
        if not (word and equals and instead):
            raise InvalidRequest(
                "a hot_fix entry that is no pair",
                provider=SLUG,
                act=Act.USER,
                sentence=_(
                    "Write pronunciations and replacements as word=reading, one per line or separated by semicolons."
                ),
            )
        pairs.append({word: instead})
    return pairs


# --- text in pieces ------------------------------------------------------------------------------------------------------

_SENTENCE = re.compile(r".*?(?:[。！？!?；;…\n]+|\.(?=\s|$)|$)[\"'”’」』）)]*", re.DOTALL)
_CLAUSE = re.compile(r".*?(?:[，、：,:\s]+|$)", re.DOTALL)


def pieces(text: str, *, limit: int) -> list[str]:
    """The same text in as few pieces as hold whole sentences of at most `limit` counted characters.

    A longer sentence is cut at its commas and spaces, and failing those, anywhere.
    """
    if 2 * len(text) <= limit:
        return [text]
    packed, counted = [""], 0
    for part in _parts(text, limit=limit):
        count = count_characters(part)
        if packed[-1] and counted + count > limit:
            packed.append("")
            counted = 0
        packed[-1] += part
        counted += count
    return packed


def _parts(text: str, *, limit: int) -> Iterator[str]:
    for sentence in filter(None, _SENTENCE.findall(text)):
        if count_characters(sentence) <= limit:
            yield sentence
            continue
        for clause in filter(None, _CLAUSE.findall(sentence)):
            while count_characters(clause) > limit:
                # Half of the limit in characters can never count more than the limit.
                yield clause[: limit // 2]
                clause = clause[limit // 2 :]
            yield clause
