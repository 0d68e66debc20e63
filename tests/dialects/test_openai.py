"""OpenAI's own Python SDK, as it is, against a running portal."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest
import requests
from openai import OpenAI

from tests.dialects.conftest import Studio
from tests.listening import listen
from tests.recordings import WOMAN, recording

WEATHER = "今天天气怎么样？我们去公园走走吧。"
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？" * 2


@pytest.fixture
def client(studio: Studio) -> Iterator[OpenAI]:
    with client_with(studio, studio.alice) as client:
        yield client


def client_with(studio: Studio, key: str) -> OpenAI:
    english = {"Accept-Language": "en"}
    return OpenAI(api_key=key, base_url=f"{studio.portal.address}/v1", default_headers=english)


def speak(client: OpenAI, **changes: Any) -> Any:
    wanted: dict[str, Any] = {"model": "tts-1", "voice": "Annie", "input": WEATHER}
    return client.audio.speech.create(**(wanted | changes))


@pytest.mark.parametrize(
    ("asked", "content_type"),
    [
        ("mp3", "audio/mpeg"),
        ("opus", "audio/ogg"),
        ("aac", "audio/aac"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
        ("pcm", "audio/pcm"),
    ],
)
def test_it_speaks_in_every_format(client: OpenAI, asked: Any, content_type: str) -> None:
    answer = speak(client, response_format=asked)
    assert answer.response.headers["content-type"] == content_type
    said = listen(answer.content, format=asked if asked == "pcm" else "", rate=24_000)
    assert said.duration == pytest.approx(3.4, rel=0.1)
    assert said.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)
    assert -35 < said.loudness < -10


@pytest.mark.parametrize(("speed", "longer"), [(0.25, 4.0), (0.5, 2.0), (2.0, 0.5), (4.0, 0.25)])
def test_it_speaks_slower_and_faster_than_the_provider_can(client: OpenAI, speed: float, longer: float) -> None:
    usual = listen(speak(client, response_format="wav").content)
    said = listen(speak(client, response_format="wav", speed=speed).content)
    assert said.duration == pytest.approx(usual.duration * longer, rel=0.15)
    assert said.f0 == pytest.approx(usual.f0, rel=0.10)


def test_it_finds_a_voice_by_id_and_hands_on_what_the_model_takes(client: OpenAI, studio: Studio) -> None:
    body = {"volume": 20, "nobody_knows_this": 1}
    quiet = speak(
        client, voice={"id": studio.voice}, instructions="Speak gently.", response_format="wav", extra_body=body
    )
    sent = studio.portal.sandbox.ledger.calls("run-task")[-1].body["payload"]["parameters"]
    assert (sent["volume"], sent["instruction"]) == (20, "Speak gently.")
    assert quiet.response.headers["x-voice-id"] == studio.voice


@pytest.mark.parametrize("asked", ["mp3", "aac"])
def test_it_streams_while_the_provider_still_speaks(client: OpenAI, studio: Studio, asked: Any) -> None:
    studio.portal.sandbox.configure(speed=8)
    came: list[float] = []
    wanted = {"model": "tts-1", "voice": "Annie", "input": STORY, "response_format": asked}
    with client.audio.speech.with_streaming_response.create(**wanted) as answer:
        for _chunk in answer.iter_bytes():
            came.append(time.monotonic())
    assert len(came) > 5
    assert came[-1] - came[0] > 0.5


def test_it_streams_events(client: OpenAI) -> None:
    wanted: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "Annie", "input": WEATHER, "stream_format": "sse"}
    with client.audio.speech.with_streaming_response.create(**wanted) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    file = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert usage["output_tokens"] == pytest.approx(listen(file).duration * 1000, rel=0.03)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_it_lists_and_retrieves_models(client: OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"tts-1", "gpt-4o-mini-tts", "cosyvoice-v3-flash"} <= models.keys()
    assert client.models.retrieve("cosyvoice-v3-flash").owned_by == "aliyun"
    assert models["tts-1"].created > 1_700_000_000
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("whisper-1")
    assert refused.value.code == "model_not_found"


def test_it_makes_a_voice_under_a_spoken_consent(client: OpenAI, studio: Studio) -> None:
    consents = client.audio.voice_consents
    consent = consents.create(language="zh-CN", name="Annie agrees", recording=studio.recording)
    assert consents.update(consent.id, name="Annie said yes").name == "Annie said yes"
    assert consents.retrieve(consent.id).language == "zh-CN"
    another = consents.create(language="en", name="Another", recording=studio.recording)
    assert [each.id for each in consents.list(limit=1)][:2] == [another.id, consent.id]

    voice = client.audio.voices.create(name="Bea", audio_sample=studio.recording, consent=consent.id)
    assert (voice.object, voice.type, voice.name) == ("audio.voice", "audio_sample", "Bea")
    address, headers = studio.portal.address, {"Authorization": f"Bearer {studio.alice}"}
    listed = requests.get(f"{address}/v1/audio/voices", headers=headers, timeout=30).json()["voices"]
    assert {"Annie", "Bea"} <= {each["name"] for each in listed}
    assert client.audio.voices.delete(voice.id).deleted

    assert consents.delete(consent.id).deleted
    with pytest.raises(openai.NotFoundError):
        consents.retrieve(consent.id)


def test_it_makes_no_voice_without_consent_or_from_words(client: OpenAI, studio: Studio) -> None:
    with pytest.raises(openai.BadRequestError) as unknown:
        client.audio.voices.create(name="Bea", audio_sample=studio.recording, consent="nobody's")
    assert (unknown.value.code, unknown.value.param) == ("consent_not_found", "consent")
    with pytest.raises(openai.BadRequestError) as imagined:
        client.audio.voices.create(name="Bea", type="prompt", prompt="a warm voice")
    assert imagined.value.code == "unsupported_voice_type"
    with pytest.raises(openai.BadRequestError) as unheard:
        client.audio.voice_consents.create(language="en", name="Noise", recording=("a.wav", b"RIFF, but no more"))
    assert unheard.value.code == "invalid_audio"


@pytest.mark.parametrize(
    ("changes", "error", "code", "param"),
    [
        ({"voice": "Nobody"}, openai.BadRequestError, "voice_not_found", "voice"),
        ({"model": "whisper-1"}, openai.NotFoundError, "model_not_found", "model"),
        ({"model": "cosyvoice-v2"}, openai.BadRequestError, "invalid_value", "model"),
        ({"input": "  "}, openai.BadRequestError, "invalid_value", "input"),
        ({"input": "a" * 1_000_000}, openai.BadRequestError, "invalid_value", "input"),
        ({"input": 5}, openai.BadRequestError, "invalid_value", "input"),
        ({"speed": 9.0}, openai.BadRequestError, "invalid_value", "speed"),
        ({"response_format": "midi"}, openai.BadRequestError, "invalid_value", "response_format"),
        ({"stream_format": "ndjson"}, openai.BadRequestError, "invalid_value", "stream_format"),
    ],
)
def test_it_refuses_in_the_sdks_own_classes(
    client: OpenAI, changes: dict[str, Any], error: type[openai.APIStatusError], code: str, param: str
) -> None:
    with pytest.raises(error) as refused:
        speak(client, **changes)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.request_id
    assert refused.value.message


def test_it_knows_no_strangers_voice_and_consent(client: OpenAI, studio: Studio) -> None:
    consent = client.audio.voice_consents.create(language="en", name="Mine", recording=studio.recording)
    with client_with(studio, studio.charlie) as stranger:
        attempts: list[Callable[[], object]] = [
            lambda: speak(stranger, voice=studio.voice),
            lambda: speak(stranger),
            lambda: stranger.audio.voices.delete(studio.voice),
            lambda: stranger.audio.voice_consents.retrieve(consent.id),
            lambda: stranger.audio.voice_consents.update(consent.id, name="Theirs"),
            lambda: stranger.audio.voice_consents.delete(consent.id),
            lambda: stranger.audio.voices.create(name="B", audio_sample=studio.recording, consent=consent.id),
        ]
        for attempt in attempts:
            with pytest.raises((openai.BadRequestError, openai.NotFoundError)):
                attempt()
        assert list(stranger.audio.voice_consents.list()) == []


def test_it_lets_nobody_in_without_a_key_that_may(studio: Studio) -> None:
    with client_with(studio, "sk-nobody") as nobody, pytest.raises(openai.AuthenticationError) as unknown:
        speak(nobody)
    assert unknown.value.code == "invalid_api_key"
    with client_with(studio, studio.reader) as reader, pytest.raises(openai.PermissionDeniedError) as unscoped:
        speak(reader)
    assert (unscoped.value.code, unscoped.value.type) == ("insufficient_scope", "permission_error")
    with client_with(studio, studio.reader) as reader, pytest.raises(openai.PermissionDeniedError):
        reader.audio.voice_consents.delete("anything")


def test_it_tells_of_a_provider_that_fails_before_the_first_audio(client: OpenAI, studio: Studio) -> None:
    sandbox = studio.portal.sandbox
    sandbox.fail(operation="synthesis", at="start", how="error", code="InternalError", message="internal")
    with pytest.raises(openai.InternalServerError) as refused:
        speak(client.with_options(max_retries=0))
    assert (refused.value.status_code, refused.value.type, refused.value.code) == (
        502,
        "upstream_error",
        "InternalError",
    )


def test_it_breaks_the_transfer_when_the_provider_fails_later(client: OpenAI, studio: Studio) -> None:
    studio.portal.sandbox.fail(operation="synthesis", at="after", how="drop", frame=3)
    with pytest.raises(openai.APIConnectionError):
        speak(client.with_options(max_retries=0), input=STORY)
    studio.portal.sandbox.fail(operation="synthesis", at="after", how="drop", frame=3)
    heard = ""
    with pytest.raises((openai.APIConnectionError, httpx2.HTTPError)):  # noqa: PT012, SIM117 — the stream breaks as it is read
        with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="Annie", input=STORY, stream_format="sse"
        ) as answer:
            for line in answer.iter_lines():
                heard = line or heard
    assert json.loads(heard.removeprefix("data: "))["error"]["type"] == "upstream_error"


def test_it_answers_what_is_no_request_in_its_own_shape(studio: Studio) -> None:
    base, headers = f"{studio.portal.address}/v1", {"Authorization": f"Bearer {studio.alice}"}
    answers = [
        requests.post(f"{base}/audio/speech", data=b"{not json", headers=headers, timeout=30),
        requests.post(f"{base}/audio/speech", data=b"[1]", headers=headers, timeout=30),
        requests.put(f"{base}/models", headers=headers, timeout=30),
        requests.get(f"{base}/audio/speech", headers=headers, timeout=30),
        requests.get(f"{base}/models", timeout=30),
        requests.get(f"{base}/chat/completions", headers=headers, timeout=30),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 405, 405, 401, 404]
    for answer in answers:
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"]
