"""Both speech services, sans-IO: cloned voices (`voice_clone`) and the super-humanoid one (超拟人). One task on one connection.

    open: the text, whole (status 2) or in pieces (0, 1 …, 2) -> [acknowledgement] -> frames of audio, times, progress -> status 2

Only frames are believed: the provider closes with 1000 after errors too, and after an end it does not close at all (2026-10).
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import logging
import re
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.providers.base import (
    Audio,
    Done,
    Event,
    OptionValue,
    Progress,
    Send,
    SpeechConnection,
    SpeechRequest,
    SpeechSession,
    Started,
    Usage,
)
from voices.providers.errors import Act, InvalidRequest, ProviderError, ProviderTrouble, StreamBroken, TextRejected
from voices.providers.iflytek.auth import Credentials, signed_url
from voices.providers.iflytek.codes import integer
from voices.providers.iflytek.errors import handshake_refused, synthesis_failed
from voices.providers.iflytek.pybuf import PybufError, PybufParser
from voices.providers.iflytek.traits import (
    EDITIONS,
    LANGUAGE_IDS,
    MAX_MESSAGE_BYTES,
    MAX_STREAM_BYTES,
    OMNI,
    SLUG,
    SUPER_HUMANOID,
    TRAITS,
    count_characters,
)
from voices.providers.redaction import redacted
from voices.providers.wire import json_object, mapping, note, storable

logger = logging.getLogger(__name__)

# The first frame takes up to 20 s; later ones come faster.
FRAME_SECONDS = 20.0
# A sign is one unit, with a pause behind it at most; a number or a filler that the provider adds is spoken as some more.
MARKS_TO_A_SIGN, MARKS_BESIDES = 10, 100

_ENCODINGS = {"mp3": "lame", "wav": "raw", "pcm": "raw"}
_UNPLAYABLE = {"opus", "speex"}
_NUMBERED_CHOICES = {"reg", "rdn", "rhy", "bgs", "watermask"}
_ORAL = ("oral_level", "spark_assist", "stop_split", "remain")
_AUDIO = ("channels", "bit_depth", "frame_size")


@dataclass(frozen=True, slots=True)
class IflytekSpeech:
    account_key: str
    credentials: Credentials
    clone_url: str
    stock_url: str
    clock: Callable[[], float] = time.time
    frame_seconds: float = FRAME_SECONDS

    def connection(self, request: SpeechRequest) -> SpeechConnection:
        """For one task, at once: the signature in the address is dead after five minutes."""
        endpoint = self.stock_url if request.model == SUPER_HUMANOID else self.clone_url
        url = signed_url(
            endpoint, api_key=self.credentials.api_key, api_secret=self.credentials.api_secret, now=self.clock()
        )
        return SpeechConnection(
            account_key=self.account_key, provider=SLUG, url=url, headers={}, frame_timeout=self.frame_seconds
        )

    def session(self, request: SpeechRequest) -> SpeechSession:
        """Raises TextRejected for text that is empty or too long, InvalidRequest for what the voice's model does not take."""
        return IflytekTask(request, app_id=self.credentials.app_id, secrets=self.credentials.secrets)

    def handshake_refused(self, status: int, body: str, *, date: str = "") -> ProviderError | None:
        said = json_object(body) or {}
        header = mapping(said.get("header")) or said
        code = integer(header.get("code"))
        message = redacted(str(header.get("message") or body), secrets=self.credentials.secrets)
        if code:
            return synthesis_failed(code=code, message=message, request_id=note(header.get("sid")), audio_heard=False)
        return handshake_refused(http_status=status, message=message, date=date, now=self.clock())


class IflytekTask:
    """One synthesis. `request_id` is the provider's sid, known from its first frame on."""

    def __init__(self, request: SpeechRequest, *, app_id: str, secrets: tuple[str, ...] = ()) -> None:
        self._pieces = _pieces_of(request)
        self._parameter = _parameter(request)
        self._header = {"app_id": app_id} | ({"res_id": request.remote_id} if request.model in EDITIONS else {})
        self._characters = count_characters(request.text)
        self._text_bytes = sum(len(piece.encode()) for piece in self._pieces)
        self._secrets = secrets
        self._sid = ""
        self._audio_heard = False
        self._lead = _wav_header(self._parameter["tts"]["audio"]) if request.audio_format == "wav" else b""
        self._share = 0.0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._times: PybufParser | None = PybufParser()
        self._marks_told = 0

    @property
    def request_id(self) -> str:
        return self._sid

    def open(self) -> Iterator[Send]:
        last = len(self._pieces) - 1
        for number, piece in enumerate(self._pieces):
            status = 2 if number == last else 0 if number == 0 else 1
            text = {
                "encoding": "utf8",
                "compress": "raw",
                "format": "plain",
                "status": status,
                "seq": number,
                "text": base64.b64encode(piece.encode()).decode(),
            }
            # The parameters go with every piece: the provider asks for that on a sibling service, and takes it here.
            frame = {
                "header": self._header | {"status": status},
                "parameter": self._parameter,
                "payload": {"text": text},
            }
            yield Send(json.dumps(frame, ensure_ascii=False))

    def receive(self, frame: str | bytes) -> Iterator[Event]:
        message = json_object(frame) if isinstance(frame, str) else None
        if message is None:
            raise self._confused("a frame that is no JSON object")
        # Errors come with the header around them or without (2026-10).
        header = mapping(message["header"]) if "header" in message else message
        if not self._sid and (sid := note(header.get("sid"))):
            self._sid = sid
            yield Started(request_id=sid)
        code = integer(header.get("code"))
        if code is None:
            raise self._confused("a frame without a code")
        if code != 0:
            raise synthesis_failed(
                code=code,
                message=redacted(str(header.get("message") or ""), secrets=self._secrets),
                request_id=self._sid,
                audio_heard=self._audio_heard,
            )
        payload = mapping(message.get("payload"))
        audio = mapping(payload.get("audio"))
        yield from self._audio(audio)
        yield from self._marks(mapping(payload.get("pybuf")))
        yield from self._progress(audio)
        if integer(header.get("status")) == 2 or integer(audio.get("status")) == 2:
            yield from self._end()

    def connection_lost(self, reason: str) -> ProviderError:
        return StreamBroken(reason, provider=SLUG, request_id=self._sid, retryable=not self._audio_heard)

    # --- what comes in ---

    def _audio(self, audio: Mapping[str, Any]) -> Iterator[Event]:
        data = self._decoded(audio.get("audio"))
        if not data:
            return
        if not self._audio_heard:
            self._audio_heard = True
            # The provider names no count; its rule is one for each sign, and the whole text has been sent.
            yield Usage(self._characters)
        yield Audio(self._lead + data)
        self._lead = b""

    def _marks(self, pybuf: Mapping[str, Any]) -> Iterator[Event]:
        """Times are beside the point of the audio, which is paid for: when they cannot be read, they end there and it goes on."""
        data = self._decoded(pybuf.get("text"))
        if not data or self._times is None:
            return
        try:
            # A sign of several bytes may be cut between two frames.
            for mark in self._times.feed(storable(self._decoder.decode(data))):
                self._marks_told += 1
                if self._marks_told > MARKS_TO_A_SIGN * self._characters + MARKS_BESIDES:
                    raise PybufError("more sounds than the text can have", at_ms=mark.begin_ms)
                yield mark
        except (PybufError, UnicodeDecodeError) as error:
            self._without_times(error)

    def _progress(self, audio: Mapping[str, Any]) -> Iterator[Event]:
        """`ced` counts bytes of text, in jumps of a sentence, and nobody says of which wording: good for a bar, no more."""
        share = min(1.0, (integer(audio.get("ced")) or 0) / self._text_bytes)
        if share > self._share:
            self._share = share
            yield Progress(share)

    def _end(self) -> Iterator[Event]:
        if not self._audio_heard:
            raise self._confused("an end without any audio")
        if self._times is not None:
            try:
                yield from self._times.finish()
            except PybufError as error:
                self._without_times(error)
        yield Done(characters=self._characters, request_id=self._sid)

    def _without_times(self, error: PybufError | UnicodeDecodeError) -> None:
        self._times = None
        logger.warning("the times of %s session %s cannot be read any further: %s", SLUG, self._sid, error)

    def _decoded(self, text: object) -> bytes:
        if text in (None, ""):
            return b""
        try:
            return base64.b64decode(str(text), validate=True)
        except (binascii.Error, ValueError):
            raise self._confused("a payload that is not base64") from None

    def _confused(self, detail: str) -> ProviderError:
        return ProviderTrouble(detail, provider=SLUG, request_id=self._sid, retryable=not self._audio_heard)


# --- the request -----------------------------------------------------------------------------------------------------


def _parameter(request: SpeechRequest) -> dict[str, Any]:
    """Raises InvalidRequest. `encoding` and `sample_rate` are always said: without them the provider speaks Speex."""
    try:
        model = TRAITS.model(request.model)
    except KeyError:
        raise InvalidRequest(f"there is no model {request.model!r}", provider=SLUG) from None
    if unknown := request.options.keys() - model.speech:
        raise InvalidRequest(f"{request.model} takes no {', '.join(sorted(unknown))}", provider=SLUG)
    options = {name: value for name, value in request.options.items() if value != ""}
    _refuse_combinations(request, options)
    audio: dict[str, Any] = {
        "encoding": _encoding(request.audio_format),
        "sample_rate": request.sample_rate,
        "channels": int(options.pop("channels", 1)),
        "bit_depth": int(options.pop("bit_depth", 16)),
        "frame_size": int(options.pop("frame_size", 0)),
    }
    oral = {name: _on_the_wire(name, options.pop(name)) for name in _ORAL if name in options}
    tts: dict[str, Any] = {
        "vcn": EDITIONS.get(request.model, request.remote_id),
        **_language(request, options),
        **{
            ("impactFactor" if name == "impact_factor" else name): _on_the_wire(name, value)
            for name, value in options.items()
        },
        "audio": audio,
    }
    if request.model in EDITIONS and tts.get("rhy"):
        tts |= {"pybuffer": 1, "pybuf": {"encoding": "utf8", "compress": "raw", "format": "plain"}}
    return ({"oral": oral} if oral else {}) | {"tts": tts}


def _language(request: SpeechRequest, options: dict[str, OptionValue]) -> dict[str, int]:
    """A standard voice speaks what it was trained for; a multi-style one what is asked for. Chinese, 0, goes without saying.

    The sources spell the key in two ways (LanguageID, languageID); this is that of the provider's newest page (2026-10).
    """
    if request.model not in EDITIONS:
        return {}
    language = str(options.pop("language", "") or request.language or "zh")
    if language not in LANGUAGE_IDS:
        raise InvalidRequest(f"no such language: {language!r}", provider=SLUG)
    if language != "zh" and request.model == OMNI and "style" in options:
        raise InvalidRequest(
            "a style with another language than Chinese",
            provider=SLUG,
            act=Act.USER,
            sentence=_("Styles are for Chinese text only. Please leave the style out or choose Chinese."),
        )
    number = LANGUAGE_IDS[language]
    return {"LanguageID": number} if number else {}


def _refuse_combinations(request: SpeechRequest, options: Mapping[str, OptionValue]) -> None:
    """What one option's range cannot say: choices that only one of the services, or one of the formats, has."""
    is_stock = request.model == SUPER_HUMANOID
    sentence = None
    if is_stock and str(options.get("rhy")) == "3":
        sentence = _("Times of punctuation are for cloned voices only. Please choose times without punctuation.")
    elif is_stock and str(options.get("bgs")) == "2":
        sentence = _("The second background sound is for cloned voices only. Please choose another one.")
    elif request.audio_format == "pcm" and (
        str(options.get("channels", "1")) != "1" or str(options.get("bit_depth", "16")) != "16"
    ):
        sentence = _("PCM has no header to tell what it holds, so it is always mono with 16 bits. Please choose WAV.")
    elif request.audio_format != "mp3" and options.get("implicit_watermark"):
        sentence = _("The hidden AI mark is for MP3 only. Please choose MP3 or leave the mark out.")
    if sentence is not None:
        raise InvalidRequest(
            "a combination that the service does not have", provider=SLUG, act=Act.USER, sentence=sentence
        )


def _encoding(audio_format: str) -> str:
    if audio_format in _ENCODINGS:
        return _ENCODINGS[audio_format]
    sentence = None
    if audio_format in _UNPLAYABLE:
        sentence = _(
            "This provider sends Opus and Speex as bare packets that no player can play. Please choose MP3 or WAV."
        )
    raise InvalidRequest(f"no {audio_format} is offered", provider=SLUG, act=Act.USER, sentence=sentence)


def _on_the_wire(name: str, value: OptionValue) -> OptionValue:
    if name in _NUMBERED_CHOICES:
        return int(value)
    # The one flag that the provider takes as JSON's true and false.
    return int(value) if isinstance(value, bool) and name != "implicit_watermark" else value


def _wav_header(audio: Mapping[str, int]) -> bytes:
    """For PCM of a length that is not known yet; whoever stores it puts the lengths right."""
    channels, rate, bits = audio["channels"], audio["sample_rate"], audio["bit_depth"]
    frame = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * frame, frame, bits)
    return struct.pack("<4sI4s", b"RIFF", 0xFFFFFFFF, b"WAVE") + form + struct.pack("<4sI", b"data", 0xFFFFFFFF)


# --- text ------------------------------------------------------------------------------------------------------------

_SENTENCE_END = re.compile(r"[。！？!?；;…\n]+[\"'”’」』）)]*|\.(?=\s)")
_PAUSE = re.compile(r"[，、：,:\s]+")


def _pieces_of(request: SpeechRequest) -> list[str]:
    """One message for a cloned voice; as many as a longer text needs for a stock voice. Raises TextRejected."""
    # A half of a surrogate pair has no UTF-8.
    text = request.text.encode(errors="replace").decode()
    if not text.strip():
        raise TextRejected("no text", provider=SLUG, sentence=_("Please enter some text."))
    limit = MAX_STREAM_BYTES if request.model == SUPER_HUMANOID else MAX_MESSAGE_BYTES
    size = len(text.encode())
    if size > limit:
        raise TextRejected(
            f"{size} bytes of text where {limit} are taken",
            provider=SLUG,
            sentence=format_lazy(
                _(
                    "This text is too long: {limit} bytes at most, and a Chinese character takes three. Please shorten it."
                ),
                limit=limit,
            ),
        )
    return pieces(text, limit=MAX_MESSAGE_BYTES)


def pieces(text: str, *, limit: int) -> list[str]:
    """The same text cut into few pieces of at most `limit` bytes of UTF-8, none but the last shorter than half of what fits.

    Within that, a piece ends behind a sentence; failing that behind a comma or a space; failing that between any two signs.
    """
    cut = []
    while len(text.encode()) > limit:
        room = text.encode()[:limit].decode(errors="ignore")
        at = _last_end(_SENTENCE_END, room) or _last_end(_PAUSE, room) or len(room)
        cut.append(text[:at])
        text = text[at:]
    return [*cut, text]


def _last_end(pattern: re.Pattern[str], room: str) -> int:
    """Where the last match in the second half ends; 0 when there is none."""
    ends = [found.end() for found in pattern.finditer(room, len(room) // 2)]
    return ends[-1] if ends else 0
