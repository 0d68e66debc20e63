"""ElevenLabs' own Python SDK, as it is, against a running portal."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests
from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.core import ApiError

from tests.dialects.conftest import TRAINING_SECONDS, Studio
from tests.listening import listen
from tests.recordings import WOMAN, recording

WEATHER = "今天天气怎么样？我们去公园走走吧。"
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？" * 2


@pytest.fixture
def client(studio: Studio) -> Iterator[ElevenLabs]:
    with httpx.Client(headers={"Accept-Language": "en"}, timeout=60) as http:
        yield client_with(studio, studio.alice, http)


@pytest.fixture
def stranger(studio: Studio) -> Iterator[ElevenLabs]:
    with httpx.Client(timeout=60) as http:
        yield client_with(studio, studio.charlie, http)


def client_with(studio: Studio, key: str, http: httpx.Client) -> ElevenLabs:
    return ElevenLabs(api_key=key, base_url=studio.portal.address, httpx_client=http)


def whole(answer: Any) -> Any:
    """Nothing is asked for a stream until it is read."""
    return list(answer) if isinstance(answer, Iterator) else answer


def refusal_of(ask: Callable[[], Any]) -> tuple[int | None, Any]:
    with pytest.raises(ApiError) as refused:
        whole(ask())
    assert refused.value.headers is not None
    assert refused.value.headers["request-id"]
    detail = refused.value.body["detail"]
    return refused.value.status_code, detail["status"] if isinstance(detail, dict) else detail[0]["loc"]


@pytest.mark.parametrize(
    "asked", ["mp3_44100_128", "mp3_22050_32", "pcm_16000", "pcm_32000", "wav_48000", "opus_48000_64"]
)
def test_it_speaks_at_the_rate_that_is_asked_for(client: ElevenLabs, studio: Studio, asked: Any) -> None:
    rate = int(asked.split("_")[1])
    audio = b"".join(client.text_to_speech.convert(studio.voice, text=WEATHER, output_format=asked))
    said = listen(audio, format="pcm" if asked.startswith("pcm") else "", rate=rate)
    assert said.rate == rate
    assert said.duration == pytest.approx(3.4, rel=0.1)
    assert said.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)


def test_it_speaks_as_a_telephone_does(client: ElevenLabs, studio: Studio) -> None:
    audio = b"".join(client.text_to_speech.convert(studio.voice, text=WEATHER, output_format="ulaw_8000"))
    assert len(audio) / 8000 == pytest.approx(3.4, rel=0.1)


def test_it_streams_while_the_provider_still_speaks(client: ElevenLabs, studio: Studio) -> None:
    studio.portal.sandbox.configure(speed=8)
    came = [time.monotonic() for _chunk in client.text_to_speech.stream(studio.voice, text=STORY)]
    assert len(came) > 5
    assert came[-1] - came[0] > 0.5


def test_it_says_when_each_character_is_heard(client: ElevenLabs, studio: Studio) -> None:
    whole = client.text_to_speech.convert_with_timestamps(studio.voice, text=WEATHER)
    assert whole.alignment is not None
    times = whole.alignment
    assert "".join(times.characters) == WEATHER
    assert len(times.character_start_times_seconds) == len(times.character_end_times_seconds) == len(WEATHER)
    assert times.character_start_times_seconds == sorted(times.character_start_times_seconds)
    lines = list(client.text_to_speech.stream_with_timestamps(studio.voice, text=WEATHER))
    assert len(lines) > 3
    pieces = [line.alignment for line in lines if line.alignment]
    assert "".join("".join(piece.characters) for piece in pieces) == WEATHER
    starts = [start for piece in pieces for start in piece.character_start_times_seconds]
    assert starts[:-1] == times.character_start_times_seconds[:-1]


def test_it_heeds_the_speed_that_is_asked_for_or_kept(client: ElevenLabs, studio: Studio) -> None:
    def seconds(**more: Any) -> float:
        spoken = client.text_to_speech.convert(studio.voice, text=WEATHER, output_format="wav_24000", **more)
        return listen(b"".join(spoken)).duration

    usual = seconds()
    assert seconds(voice_settings=VoiceSettings(speed=0.7, stability=0.5)) == pytest.approx(usual / 0.7, rel=0.1)
    client.voices.settings.update(studio.voice, request=VoiceSettings(speed=1.2))
    assert client.voices.settings.get(studio.voice).speed == 1.2
    assert seconds() == pytest.approx(usual / 1.2, rel=0.1)
    client.voices.settings.update(studio.voice, request=VoiceSettings(speed=1.0))
    assert client.voices.settings.get_default().speed == 1.0


def test_it_takes_a_voice_from_its_recording_to_its_end(client: ElevenLabs, studio: Studio) -> None:
    labels = {"consent": "true", "mood": "calm"}
    with studio.recording.open("rb") as sample:
        made = client.voices.ivc.create(name="Bea", files=[sample], labels=labels, description="Reads news")
    states = set()
    until = time.monotonic() + TRAINING_SECONDS
    while "fine_tuned" not in states and time.monotonic() < until:
        voice = client.voices.get(made.voice_id)
        assert voice.fine_tuning is not None
        assert voice.fine_tuning.state is not None
        states |= set(voice.fine_tuning.state.values())
    assert "fine_tuned" in states
    assert states <= {"queued", "fine_tuning", "fine_tuned"}
    assert (voice.category, voice.description, voice.labels and voice.labels["mood"]) == (
        "cloned",
        "Reads news",
        "calm",
    )
    assert voice.samples
    sample_id = voice.samples[0].sample_id
    assert sample_id
    heard = b"".join(client.voices.samples.audio.get(made.voice_id, sample_id))
    assert heard == studio.recording.read_bytes()
    client.voices.update(made.voice_id, name="Bee", description="Reads stories")
    found = client.voices.search(search="Bee", page_size=1)
    assert [(each.name, each.description) for each in found.voices] == [("Bee", "Reads stories")]
    assert client.samples.delete(made.voice_id, sample_id).status == "ok"
    assert client.voices.get(made.voice_id).samples == []
    assert client.voices.delete(made.voice_id).status == "ok"
    assert refusal_of(lambda: client.voices.get(made.voice_id)) == (404, "voice_not_found")


def test_it_walks_the_voices_page_by_page(client: ElevenLabs, studio: Studio) -> None:
    everything = {voice.voice_id for voice in client.voices.get_all().voices}
    for sort in ("created_at_unix", "name"):
        seen: list[str] = []
        token = None
        while True:
            page = client.voices.search(page_size=7, sort=sort, next_page_token=token)
            seen += [voice.voice_id for voice in page.voices]
            token = page.next_page_token
            if not page.has_more:
                break
        assert sorted(seen) == sorted(everything)
        assert page.total_count == len(everything)
    assert [voice.voice_id for voice in client.voices.search(voice_type="personal", search="Annie").voices] == [
        studio.voice
    ]


def test_it_tells_of_models_account_and_usage(client: ElevenLabs, studio: Studio) -> None:
    list(client.text_to_speech.convert(studio.voice, text=WEATHER))
    models = {model.model_id: model for model in client.models.list()}
    assert models["cosyvoice-v3-flash"].can_do_text_to_speech
    user = client.user.get()
    subscription = client.user.subscription.get()
    assert user.subscription.character_count == subscription.character_count > 0
    assert subscription.voice_slots_used >= 1
    assert subscription.has_open_invoices is False
    now = int(time.time() * 1000)
    day = 86_400_000
    for breakdown, name in ((None, "All"), ("voice", "Annie"), ("model", "cosyvoice-v3-flash")):
        usage = client.usage.get(start_unix=now - day, end_unix=now + 60_000, breakdown_type=breakdown)
        assert sum(usage.usage[name]) > 0
        assert len(usage.usage[name]) == len(usage.time)


def test_it_keeps_a_history_that_can_be_heard_fetched_and_deleted(client: ElevenLabs, studio: Studio) -> None:
    spoken = [b"".join(client.text_to_speech.convert(studio.voice, text=f"{n}，{WEATHER}")) for n in range(3)]
    texts = [f"{n}，{WEATHER}" for n in (2, 1, 0)]
    wait_until(lambda: [item.text for item in client.history.list(page_size=3).history] == texts)
    newest, before, oldest = client.history.list(page_size=3).history
    assert newest.character_count_change_to > 0
    assert b"".join(client.history.get_audio(newest.history_item_id)) == spoken[2]
    assert client.history.get(before.history_item_id).voice_name == "Annie"
    following = client.history.list(page_size=1, start_after_history_item_id=before.history_item_id)
    assert [item.history_item_id for item in following.history] == [oldest.history_item_id]
    assert following.last_history_item_id == oldest.history_item_id
    ids = [newest.history_item_id, oldest.history_item_id]
    archive = zipfile.ZipFile(io.BytesIO(b"".join(client.history.download(history_item_ids=ids))))
    assert [archive.read(name) for name in archive.namelist()] == [spoken[2], spoken[0]]
    assert b"".join(client.history.download(history_item_ids=ids[:1])) == spoken[2]
    assert client.history.delete(newest.history_item_id).status == "ok"
    assert refusal_of(lambda: client.history.get(newest.history_item_id))[0] == 404


def wait_until(holds: Callable[[], bool]) -> None:
    """What was spoken is kept behind its last byte."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"text": ""}, 400, "empty_text"),
        ({"text": "a" * 1_000_000}, 400, "max_character_limit_exceeded"),
        ({"text": 5}, 422, ["body", "text"]),
        ({"output_format": "midi"}, 400, "invalid_output_format"),
        ({"model_id": "whisper-1"}, 400, "model_not_found"),
        ({"voice_id": "nobody"}, 404, "voice_not_found"),
        ({"voice_settings": {"speed": 3}}, 422, ["body", "voice_settings", "speed"]),
    ],
)
def test_it_refuses_in_the_sdks_own_class(
    client: ElevenLabs, studio: Studio, changes: dict[str, Any], status: int, word: Any
) -> None:
    wanted: dict[str, Any] = {"voice_id": studio.voice, "text": WEATHER} | changes
    assert refusal_of(lambda: client.text_to_speech.convert(**wanted)) == (status, word)


def test_it_refuses_recordings_and_clones_without_consent(client: ElevenLabs, studio: Studio) -> None:
    yes = {"consent": "true"}
    create = client.voices.ivc.create
    assert refusal_of(lambda: create(name="B", files=[studio.recording.read_bytes()])) == (403, "consent_required")
    assert refusal_of(lambda: create(name="B", files=[b"no sound"], labels=yes)) == (400, "invalid_audio")
    short = recording(WOMAN, seconds=2)
    assert refusal_of(lambda: create(name="B", files=[short], labels=yes)) == (400, "audio_too_short")
    assert refusal_of(lambda: create(name="B", files=[short, short], labels=yes)) == (400, "too_many_files")


def test_it_tells_of_a_provider_that_fails(client: ElevenLabs, studio: Studio) -> None:
    sandbox = studio.portal.sandbox
    sandbox.fail(operation="synthesis", at="start", how="error", code="InvalidParameter", message="no", times=3)
    status, _word = refusal_of(lambda: client.text_to_speech.convert(studio.voice, text=WEATHER))
    assert status == 502


def test_it_knows_no_strangers_voice_and_history(client: ElevenLabs, stranger: ElevenLabs, studio: Studio) -> None:
    list(client.text_to_speech.convert(studio.voice, text=WEATHER))
    wait_until(lambda: bool(client.history.list(page_size=1).history))
    item = client.history.list(page_size=1).history[0].history_item_id
    sample = client.voices.get(studio.voice).samples
    assert sample
    sample_id = str(sample[0].sample_id)
    attempts: list[Callable[[], Any]] = [
        lambda: stranger.voices.get(studio.voice),
        lambda: stranger.voices.update(studio.voice, name="Mine"),
        lambda: stranger.voices.delete(studio.voice),
        lambda: stranger.voices.settings.get(studio.voice),
        lambda: stranger.voices.settings.update(studio.voice, request=VoiceSettings(speed=1.1)),
        lambda: stranger.voices.samples.audio.get(studio.voice, sample_id),
        lambda: stranger.samples.delete(studio.voice, sample_id),
        lambda: stranger.text_to_speech.convert(studio.voice, text=WEATHER),
        lambda: stranger.text_to_speech.stream_with_timestamps(studio.voice, text=WEATHER),
        lambda: stranger.history.get(item),
        lambda: stranger.history.get_audio(item),
        lambda: stranger.history.delete(item),
        lambda: stranger.history.download(history_item_ids=[item]),
    ]
    for attempt in attempts:
        assert refusal_of(attempt)[0] == 404
    assert stranger.history.list().history == []
    assert studio.voice not in {voice.voice_id for voice in stranger.voices.get_all().voices}


def test_it_lets_nobody_in_without_a_key_that_may(studio: Studio) -> None:
    with httpx.Client() as http:
        nobody = client_with(studio, "sk-nobody", http)
        assert refusal_of(lambda: nobody.voices.get_all()) == (401, "invalid_api_key")
        reader = client_with(studio, studio.reader, http)
        assert refusal_of(lambda: reader.voices.delete(studio.voice)) == (403, "missing_permissions")
        assert refusal_of(lambda: reader.text_to_speech.convert(studio.voice, text="a")) == (403, "missing_permissions")


def test_it_answers_what_is_no_request_in_its_own_shape(studio: Studio) -> None:
    address, headers = studio.portal.address, {"xi-api-key": studio.alice}
    answers = [
        requests.post(f"{address}/v1/text-to-speech/{studio.voice}", data=b"{not", headers=headers, timeout=30),
        requests.put(f"{address}/v1/voices", headers=headers, timeout=30),
        requests.get(f"{address}/v1/text-to-speech/{studio.voice}", headers=headers, timeout=30),
        requests.get(f"{address}/v1/voices", timeout=30),
        requests.get(f"{address}/v1/dubbing", headers=headers, timeout=30),
    ]
    assert [answer.status_code for answer in answers] == [400, 405, 405, 401, 404]
    for answer in answers:
        assert answer.json()["detail"].keys() == {"status", "message"}
