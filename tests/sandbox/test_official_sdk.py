"""The referee: Aliyun's own SDK, unmodified, against the sandbox."""

# The SDK's own annotations are partly missing and partly wrong (list_voices says list[str] and gives dicts).
# mypy: disable-error-code="no-untyped-call, call-overload"

from __future__ import annotations

import gc
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import dashscope
import pytest
from dashscope.api_entities.http_request import close_shared_sync_session
from dashscope.audio.tts_v2 import (
    AudioFormat,
    ResultCallback,
    SpeechSynthesizer,
    VoiceEnrollmentException,
    VoiceEnrollmentService,
)
from dashscope.common.error import RequestFailure

from tests.listening import listen
from tests.recordings import MAN, WOMAN, recording
from tests.sample_server import SampleServer
from tests.sandbox_server import ALIYUN_ACCOUNT, ALIYUN_KEY, OTHER_ALIYUN_KEY
from voiceclone_site.sandbox.remote import Sandbox

from .enrolling import enroll

MODEL = "cosyvoice-v2"
TEXT = "今天天气怎么样？我们一起去公园吧。"
LONGEST_MS = 20000


@pytest.fixture(autouse=True)
def _pointed_at_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(dashscope, "api_key", ALIYUN_KEY)
    monkeypatch.setattr(dashscope, "base_http_api_url", sandbox.aliyun_http)
    monkeypatch.setattr(dashscope, "base_websocket_api_url", sandbox.aliyun_websocket)
    yield
    close_shared_sync_session()


@pytest.fixture
def _refused_sockets_collected() -> Iterator[None]:
    """Where the server closes first, the SDK leaves its socket to the garbage collector: let it be this test's."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if "run_forever" in thread.name:
            # A thread that stays has closed its socket itself, and sleeps in a select of ten seconds.
            thread.join(0.5)
    gc.collect()


@pytest.fixture
def voice(sandbox: Sandbox, samples: SampleServer) -> str:
    return enroll(sandbox, samples, model=MODEL)


class Listener(ResultCallback):
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.audio = b""
        self.events: list[dict[str, Any]] = []
        self.errors: list[Any] = []

    def on_open(self) -> None:
        self.heard.append("open")

    def on_complete(self) -> None:
        self.heard.append("complete")

    def on_error(self, message: Any) -> None:
        self.errors.append(message)

    def on_close(self) -> None:
        self.heard.append("close")

    def on_event(self, message: str) -> None:
        self.events.append(json.loads(message))

    def on_data(self, data: bytes) -> None:
        self.audio += data


def test_it_walks_through_the_five_calls_of_enrollment(samples: SampleServer) -> None:
    service = VoiceEnrollmentService()
    voice_id = service.create_voice(MODEL, "demo01", samples.url(recording(WOMAN)))
    assert re.fullmatch(r"cosyvoice-v2-demo01-[0-9a-f]{32}", voice_id)

    listed = service.list_voices("demo01", page_index=0, page_size=5)
    assert [(voice["voice_id"], voice["status"]) for voice in listed] == [(voice_id, "OK")]
    asked = service.query_voice(voice_id)
    assert (asked["status"], asked["target_model"]) == ("OK", MODEL)
    assert set(asked) == {"gmt_create", "gmt_modified", "resource_link", "target_model", "status"}

    service.update_voice(voice_id, samples.url(recording(MAN)))
    assert service.query_voice(voice_id)["resource_link"] != asked["resource_link"]

    service.delete_voice(voice_id)
    with pytest.raises(VoiceEnrollmentException) as refused:
        service.query_voice(voice_id)
    assert refused.value._code == "BadRequest.ResourceNotExist"
    assert service.list_voices("demo01") == []


def test_it_refuses_an_unknown_key_to_enrollment() -> None:
    with pytest.raises(VoiceEnrollmentException) as refused:
        VoiceEnrollmentService(api_key="sk-nobody").list_voices()
    assert (refused.value._status_code, refused.value._code) == (401, "InvalidApiKey")


@pytest.mark.usefixtures("_refused_sockets_collected")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_it_refuses_an_unknown_key_to_synthesis_at_the_handshake(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope, "api_key", "sk-nobody")
    synthesizer = SpeechSynthesizer(model=MODEL, voice="anything")
    with pytest.raises(TimeoutError):
        synthesizer.call(TEXT, timeout_millis=LONGEST_MS)
    synthesizer.close()
    handshakes = sandbox.ledger.calls("handshake")
    assert [(entry.status, entry.account) for entry in handshakes] == [(401, "")]


@pytest.mark.parametrize(
    ("audio_format", "rate"),
    [
        (AudioFormat.DEFAULT, 22050),
        (AudioFormat.MP3_8000HZ_MONO_128KBPS, 8000),
        (AudioFormat.MP3_48000HZ_MONO_256KBPS, 48000),
        (AudioFormat.WAV_16000HZ_MONO_16BIT, 16000),
        (AudioFormat.WAV_44100HZ_MONO_16BIT, 44100),
        (AudioFormat.OGG_OPUS_24KHZ_MONO_32KBPS, 48000),
        (AudioFormat.PCM_24000HZ_MONO_16BIT, 24000),
    ],
    ids=str,
)
def test_it_speaks_in_every_format(voice: str, audio_format: AudioFormat, rate: int) -> None:
    synthesizer = SpeechSynthesizer(model=MODEL, voice=voice, format=audio_format)
    audio = synthesizer.call(TEXT, timeout_millis=LONGEST_MS)
    heard = listen(audio, format="pcm" if audio_format.format == "pcm" else "", rate=rate)
    assert heard.rate == rate
    assert 2.5 < heard.duration < 6
    assert heard.loudness > -35
    assert heard.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.06)
    assert synthesizer.get_response()["payload"]["usage"]["characters"] == 32


def test_it_streams_to_a_callback(sandbox: Sandbox, voice: str) -> None:
    listener = Listener()
    synthesizer = SpeechSynthesizer(
        model=MODEL,
        voice=voice,
        format=AudioFormat.WAV_24000HZ_MONO_16BIT,
        callback=listener,
        additional_params={"word_timestamp_enabled": True},
    )
    for piece in ("今天天", "气怎么样？我们", "一起去公园吧。"):
        synthesizer.streaming_call(piece)
    synthesizer.streaming_complete(LONGEST_MS)

    assert listener.heard == ["open", "complete", "close"]
    assert listener.errors == []
    assert 2.5 < listen(listener.audio).duration < 6
    ends = [e["payload"]["output"] for e in listener.events if "sentence-end" in json.dumps(e)]
    assert [end["original_text"] for end in ends] == ["今天天气怎么样？", "我们一起去公园吧。"]
    words = [word for end in ends for word in end["sentence"]["words"]]
    assert "".join(word["text"] for word in words) == "今天天气怎么样我们一起去公园吧"
    times = [time for word in words for time in (word["begin_time"], word["end_time"])]
    assert times == sorted(times)
    assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 32


def test_it_speaks_what_is_buffered_on_flush_and_drops_the_rest_on_cancel(voice: str) -> None:
    listener = Listener()
    synthesizer = SpeechSynthesizer(model=MODEL, voice=voice, callback=listener)
    synthesizer.streaming_call("没有句号")
    synthesizer.streaming_flush()
    synthesizer.streaming_call("这一句不说")
    synthesizer.streaming_cancel(LONGEST_MS)
    said = [e["payload"]["output"].get("original_text") for e in listener.events if "sentence-begin" in json.dumps(e)]
    assert "这一句不说" not in said
    assert listener.errors == []


@pytest.mark.usefixtures("_refused_sockets_collected")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_it_refuses_an_unknown_voice(sandbox: Sandbox) -> None:
    synthesizer = SpeechSynthesizer(model=MODEL, voice="cosyvoice-v2-nobody-0")
    with pytest.raises(RequestFailure) as refused:
        synthesizer.call(TEXT, timeout_millis=LONGEST_MS)
    assert refused.value.name == "InvalidParameter"
    assert refused.value.message == "[tts:]Engine return error code: 418"
    assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 0


@pytest.mark.usefixtures("_refused_sockets_collected")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_it_keeps_one_accounts_voices_from_another(voice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = VoiceEnrollmentService(api_key=OTHER_ALIYUN_KEY)
    assert stranger.list_voices() == []
    for refused_call in (stranger.query_voice, stranger.delete_voice):
        with pytest.raises(VoiceEnrollmentException) as refused:
            refused_call(voice)
        assert refused.value._code == "BadRequest.ResourceNotExist"
    monkeypatch.setattr(dashscope, "api_key", OTHER_ALIYUN_KEY)
    with pytest.raises(RequestFailure, match="418"):
        SpeechSynthesizer(model=MODEL, voice=voice).call(TEXT, timeout_millis=LONGEST_MS)
    assert VoiceEnrollmentService(api_key=ALIYUN_KEY).query_voice(voice)["status"] == "OK"
