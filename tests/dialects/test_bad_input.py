"""Callers that go wrong, with the unmodified SDKs: the class that is raised, what the row says, and what is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
from elevenlabs.client import ElevenLabs
from elevenlabs.core import ApiError
from openai import OpenAI

from tests.dialects.conftest import Studio
from tests.front import ends_of
from tests.listening import listen
from tests.processes.eventually import eventually

pytestmark = pytest.mark.xdist_group("dialects")

WEATHER = "今天天气怎么样？我们去公园走走吧。"
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？" * 3
LONG_HEADER = {"X-Long": "x" * 10_240}
PEOPLE = """
import json
from datetime import timedelta
from django.utils import timezone
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import issue_token, revoke_token
from voices import plans
from voices.models import VoiceClone
alice = User.objects.get(email="alice@example.com")
poor = User.objects.create_user("poor@example.com")
plans.change_allowance(poor, by=None, characters_per_month=1)
def key(user):
    return issue_token(user, name="bad", scopes=["voices:read", "speech"], expires_at=None)
(revoked, revoked_key), (expired, expired_key), (_row, poor_key) = key(alice), key(alice), key(poor)
revoke_token(revoked)
ApiToken.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
annie = VoiceClone.objects.get(owner=alice, name="Annie")
training = VoiceClone.objects.create(
    owner=alice, account=annie.account, provider=annie.provider, model=annie.model, language=annie.language,
    name="Tess", state=VoiceClone.State.TRAINING,
)
stock = VoiceClone.objects.filter(kind=VoiceClone.Kind.STOCK).first()
print(json.dumps({
    "revoked": revoked_key.text, "expired": expired_key.text, "poor": poor_key.text,
    "training": str(training.pk), "stock": str(stock.pk),
}))
"""


@dataclass(frozen=True)
class Cast:
    """Keys that open nothing (any more), the key of a person with one character a month, a voice of Alice's that is still being
    trained, and one that everybody may speak with."""

    revoked: str
    expired: str
    poor: str
    training: str
    stock: str


@pytest.fixture(scope="session")
def cast(_studio: Studio) -> Cast:
    return Cast(**json.loads(_studio.portal.manage("shell", "-v", "0", "-c", PEOPLE)))


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(studio: Studio) -> Iterator[None]:
    """No row that is still under way, no lease, no socket of a caller's."""
    yield
    query = (
        "SELECT count(*) FROM synthesis_synthesisjob WHERE lease_token IS NOT NULL OR state IN ('Queued', 'Running')"
    )
    eventually(lambda: studio.portal.rows(query) == [(0,)], seconds=20, what="every row settled")
    eventually(lambda: ends_of({studio.portal.port}) == 0, seconds=20, what="no caller's socket left")


@pytest.fixture
def with_openai(studio: Studio) -> Iterator[Callable[[str], OpenAI]]:
    made: list[OpenAI] = []

    def client(key: str) -> OpenAI:
        made.append(OpenAI(api_key=key, base_url=f"{studio.portal.address}/v1"))
        return made[-1]

    yield client
    for each in made:
        each.close()


@pytest.fixture
def with_elevenlabs(studio: Studio) -> Iterator[Callable[[str], ElevenLabs]]:
    with httpx.Client(timeout=60) as http:
        yield lambda key: ElevenLabs(api_key=key, base_url=studio.portal.address, httpx_client=http)


def speak(client: OpenAI, **changes: Any) -> Any:
    wanted: dict[str, Any] = {"model": "tts-1", "voice": "Annie", "input": WEATHER}
    return client.audio.speech.create(**(wanted | changes))


def refused(client: ElevenLabs, voice: str, text: str = WEATHER) -> tuple[int | None, str]:
    with pytest.raises(ApiError) as refusal:
        list(client.text_to_speech.stream(voice, text=text))
    return refusal.value.status_code, refusal.value.body["detail"]["status"]


def rows_of(studio: Studio, text: str) -> list[tuple[Any, ...]]:
    """State, error and characters of the jobs with this text, which no other test speaks."""
    query = "SELECT state, error_code, characters, characters_expected FROM synthesis_synthesisjob"
    return studio.portal.rows(f"{query} WHERE text = '{text}'")


def ended(studio: Studio, text: str) -> tuple[Any, ...]:
    """The one row of this text, once it says how it ended."""
    eventually(lambda: rows_of(studio, text)[0][0] != "Running", seconds=20, what="a row that has ended")
    [row] = rows_of(studio, text)
    return row


# --- who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["revoked", "expired"])
def test_a_key_whose_time_is_over_opens_nothing(
    cast: Cast, with_openai: Any, with_elevenlabs: Any, studio: Studio, which: str
) -> None:
    key = getattr(cast, which)
    for ask in (speak, lambda client: client.models.list()):
        with pytest.raises(openai.AuthenticationError) as refusal:
            ask(with_openai(key))
        assert (refusal.value.code, refusal.value.type) == ("invalid_api_key", "invalid_request_error")
        assert refusal.value.request_id
    assert refused(with_elevenlabs(key), studio.voice) == (401, "invalid_api_key")
    with pytest.raises(ApiError) as refusal_of_list:
        with_elevenlabs(key).voices.get_all()
    assert refusal_of_list.value.status_code == 401


def test_a_key_of_ten_thousand_letters_is_a_wrong_key(with_openai: Any, with_elevenlabs: Any, studio: Studio) -> None:
    key = "vcp_" + "x" * 10_240
    with pytest.raises(openai.AuthenticationError) as refusal:
        speak(with_openai(key))
    assert refusal.value.code == "invalid_api_key"
    assert refused(with_elevenlabs(key), studio.voice) == (401, "invalid_api_key")


def test_a_long_header_is_no_reason_to_refuse(with_openai: Any, with_elevenlabs: Any, studio: Studio) -> None:
    client = with_openai(studio.alice)
    assert listen(speak(client, extra_headers=LONG_HEADER).content).duration > 1
    assert client.with_options(default_headers=LONG_HEADER).models.list().data
    more: Any = {"additional_headers": LONG_HEADER}
    spoken = with_elevenlabs(studio.alice).text_to_speech.convert(studio.voice, text=WEATHER, request_options=more)
    assert listen(b"".join(spoken)).duration > 1


def test_a_method_that_an_address_does_not_know_is_said_so(with_openai: Any, studio: Studio) -> None:
    with pytest.raises(openai.APIStatusError) as refusal:
        with_openai(studio.alice).put("/models", cast_to=object)
    assert (refusal.value.status_code, refusal.value.type) == (405, "invalid_request_error")


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_whoever_has_no_characters_left_is_told_once(
    cast: Cast, with_openai: Any, with_elevenlabs: Any, studio: Studio
) -> None:
    text = "没有字符了。"
    with pytest.raises(openai.RateLimitError) as refusal:
        speak(with_openai(cast.poor), voice=cast.stock, input=text)
    assert (refusal.value.code, refusal.value.type) == ("insufficient_quota", "insufficient_quota")
    # Their client asks again by itself after a 429, unless it is told not to.
    assert refusal.value.response.headers["x-should-retry"] == "false"
    assert refusal.value.response.request.headers["x-stainless-retry-count"] == "0"
    assert refused(with_elevenlabs(cast.poor), cast.stock, text) == (401, "quota_exceeded")
    assert rows_of(studio, text) == []


def test_a_voice_that_is_still_being_trained_is_said_so(
    cast: Cast, with_openai: Any, with_elevenlabs: Any, studio: Studio
) -> None:
    text = "我还在训练。"
    for voice in ("Tess", cast.training):
        with pytest.raises(openai.BadRequestError) as refusal:
            speak(with_openai(studio.alice), voice=voice, input=text)
        assert (refusal.value.code, refusal.value.param) == ("voice_not_ready", "voice")
        assert refusal.value.response.headers["x-should-retry"] == "false"
    client = with_elevenlabs(studio.alice)
    assert refused(client, cast.training, text) == (400, "voice_not_fine_tuned")
    shown = client.voices.get(cast.training).fine_tuning
    assert set(shown.state.values()) == {"fine_tuning"}
    assert rows_of(studio, text) == []


# --- who listens -----------------------------------------------------------------------------------------------------


def test_whoever_hangs_up_is_not_spoken_to_any_more(with_openai: Any, with_elevenlabs: Any, studio: Studio) -> None:
    studio.portal.sandbox.configure(speed=4)
    first, second = STORY + "一。", STORY + "二。"
    wanted = {"model": "tts-1", "voice": "Annie", "input": first}
    with with_openai(studio.alice).audio.speech.with_streaming_response.create(**wanted) as answer:
        assert next(answer.iter_bytes())
    chunks = with_elevenlabs(studio.alice).text_to_speech.stream(studio.voice, text=second)
    assert next(chunks)
    chunks.close()
    for text in (first, second):
        state, error, characters, expected = ended(studio, text)
        assert (state, error) == ("Cancelled", "client_left")
        assert 0 < characters < expected


def test_a_slow_reader_gets_all_of_it_and_holds_up_nobody(with_openai: Any, studio: Studio) -> None:
    studio.portal.sandbox.configure(speed=100)
    text = STORY * 4 + "慢。"
    wanted = {"model": "tts-1", "voice": "Annie", "input": text, "response_format": "wav"}
    client = with_openai(studio.alice)
    with client.audio.speech.with_streaming_response.create(**wanted) as answer:
        pieces = answer.iter_bytes(4096)
        heard = next(pieces)
        for _other in range(3):
            assert listen(speak(client).content).duration > 1
        heard += b"".join(pieces)
    state, _error, characters, expected = ended(studio, text)
    assert (state, characters) == ("Success", expected)
    assert listen(heard).duration > 60


def test_what_breaks_after_the_first_sound_is_no_whole_answer(with_elevenlabs: Any, studio: Studio) -> None:
    text = STORY + "断。"
    studio.portal.sandbox.fail(operation="synthesis", at="after", how="drop", frame=3)
    heard = b""
    with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012 — the stream breaks as it is read
        for chunk in with_elevenlabs(studio.alice).text_to_speech.stream(studio.voice, text=text):
            heard += chunk
    assert heard
    state, error, characters, expected = ended(studio, text)
    assert (state, error) == ("Failed", "stream_broken")
    assert 0 < characters <= expected


def test_the_books_agree_with_all_of_that(studio: Studio) -> None:
    assert studio.portal.manage("check_ledger")
