"""The experiment of speech with a Qiniu clone: what is sent, to whom nothing is sent, and what comes of answers that are none."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from tests.listening import listen
from tests.portal import speaking_qiniu
from tests.providers.drivers import Driver
from tests.providers.loopback import BINARY, Loopback, Peer
from tests.recordings import CHINESE_WOMAN, recording
from tests.sample_server import SampleServer
from tests.sandbox_server import QINIU_ACCOUNT, QINIU_KEY, QINIU_TTS_KEY
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers import aio, registry
from voices.providers.base import Account, Audio, Done, Provider, SpeechRequest, Started, VoiceOrder
from voices.providers.driving import Spoken
from voices.providers.errors import (
    AccountBlocked,
    ConfigurationError,
    CredentialsRejected,
    InvalidRequest,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    StreamBroken,
    TextRejected,
    VoiceNotUsable,
)
from voices.providers.http import HttpClient
from voices.providers.qiniu.auth import bearer
from voices.providers.qiniu.traits import MODEL_ID
from voices.providers.qiniu.voice_list import VoiceList, forget_lists
from voices.providers.warm import Pool

TEXT = "今天天气怎么样？我们出去走走吧。"
CLONE = "95da00f77ad24c5e0000000000000001"
SILENCE = base64.b64encode(b"\xff\xf3sound").decode()


@pytest.fixture(autouse=True)
def _experiment(settings: Settings) -> Iterator[None]:
    settings.PROVIDERS = speaking_qiniu(settings)
    forget_lists()
    yield
    forget_lists()


def account(http: str, tts: str) -> Account:
    return Account(
        key="1", credentials={"api_key": QINIU_KEY, "tts_api_key": QINIU_TTS_KEY}, endpoints={"http": http, "tts": tts}
    )


@pytest.fixture
def qiniu(sandbox: Sandbox) -> Provider:
    return registry.build("qiniu", account(sandbox.qiniu_http, sandbox.qiniu_tts))


@pytest.fixture
def clone(qiniu: Provider, samples: SampleServer) -> str:
    data = recording(CHINESE_WOMAN)
    order = VoiceOrder(
        tag="t00000001",
        name="小明",
        model=MODEL_ID,
        language="zh",
        sample_url=samples.url(data),
        sample=lambda: data,
    )
    remote_id = qiniu.cloning.create(order).remote_id
    qiniu.cloning.train(remote_id, order)
    return remote_id


def asked(remote_id: str = CLONE, **changes: Any) -> SpeechRequest:
    usual = SpeechRequest(
        remote_id=remote_id, model=MODEL_ID, text=TEXT, audio_format="mp3", sample_rate=24_000, language="zh"
    )
    return replace(usual, **changes)


def spoken(driver: Driver, provider: Provider, request: SpeechRequest) -> list[Spoken]:
    assert provider.speech is not None
    return list(driver.speak(provider.speech, request))


def refusal(driver: Driver, provider: Provider, request: SpeechRequest) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        spoken(driver, provider, request)
    assert str(caught.value.sentence)
    assert QINIU_TTS_KEY not in f"{caught.value} {caught.value!r}"
    return caught.value


# --- off and on ------------------------------------------------------------------------------------------------------


def test_it_is_the_settings_that_let_it_speak(settings: Settings) -> None:
    both = account("http://127.0.0.1:1", "ws://127.0.0.1:1/v1/voice/tts")
    assert registry.traits("qiniu").can_synthesize
    assert registry.traits("qiniu").speech_is_experimental
    assert registry.build("qiniu", both).speech is not None
    off = {name: value for name, value in settings.PROVIDERS["qiniu"].items() if name != "experiment"}
    settings.PROVIDERS = settings.PROVIDERS | {"qiniu": off}
    assert not registry.traits("qiniu").can_synthesize
    # A row may still hold the key of the time when it was on.
    assert registry.build("qiniu", both).speech is None


def test_both_books_are_on_the_shelf() -> None:
    services = {entry.service for entry in registry.book("qiniu")}
    assert {"speech", "create", "account"} <= services


@pytest.mark.parametrize("url", ["https://api.qnaigc.com/v1/voice/tts", "wss://api.qnaigc.com/v1", "wss://[/tts"])
def test_it_takes_no_address_that_is_not_one_of_speech(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ends in /voice/tts"):
        registry.build("qiniu", account("http://127.0.0.1:1", url))


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_it_names_the_clone_in_the_handshake_and_says_all_in_one_message(
    driver: Driver, qiniu: Provider, clone: str, sandbox: Sandbox
) -> None:
    events = spoken(driver, qiniu, asked(clone, options={"speed_ratio": 1.5}))
    (handshake,) = sandbox.ledger.calls("qiniu:handshake", QINIU_ACCOUNT)
    assert handshake.headers["VoiceType"] == clone
    (task,) = sandbox.ledger.calls("qiniu:tts")
    assert task.body == {
        "audio": {"voice_type": clone, "encoding": "mp3", "speed_ratio": 1.5},
        "request": {"text": TEXT},
    }
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)


def test_it_sounds_like_the_recording(driver: Driver, qiniu: Provider, clone: str) -> None:
    audio = b"".join(event.data for event in spoken(driver, qiniu, asked(clone)) if isinstance(event, Audio))
    assert listen(audio).f0 == pytest.approx(listen(recording(CHINESE_WOMAN)).f0, rel=0.10)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"text": "天" * 501}, TextRejected),
        ({"text": " \n"}, TextRejected),
        ({"audio_format": "wav"}, InvalidRequest),
        ({"options": {"pitch": 2}}, InvalidRequest),
        ({"remote_id": "clone\r\nAuthorization: Bearer"}, VoiceNotUsable),
        ({"remote_id": "音色"}, VoiceNotUsable),
    ],
)
def test_what_could_only_be_refused_is_not_sent(
    driver: Driver, qiniu: Provider, sandbox: Sandbox, changes: dict[str, Any], kind: type[ProviderError]
) -> None:
    assert type(refusal(driver, qiniu, asked(**changes))) is kind
    assert sandbox.ledger.entries() == []


# --- whose voice it is -----------------------------------------------------------------------------------------------


def test_it_never_asks_for_a_voice_that_a_stranger_might_answer_for(
    driver: Driver, qiniu: Provider, clone: str, sandbox: Sandbox
) -> None:
    sandbox.configure(qiniu_listed="stock", qiniu_unknown_voice="stranger")
    error = refusal(driver, qiniu, asked(clone))
    assert type(error) is VoiceNotUsable
    assert (error.provider_code, error.retryable) == ("not-listed", False)
    assert [error.sentence] == [entry.sentence for entry in registry.book("qiniu") if entry.code == "not-listed"]
    assert len(sandbox.ledger.calls("qiniu:list")) == 1
    assert sandbox.ledger.calls("qiniu:handshake") == []


def test_it_asks_for_the_list_once_for_many_texts(
    driver: Driver, qiniu: Provider, clone: str, sandbox: Sandbox
) -> None:
    for _time in range(3):
        spoken(driver, qiniu, asked(clone))
    assert len(sandbox.ledger.calls("qiniu:list")) == 1
    assert len(sandbox.ledger.calls("qiniu:handshake")) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [
        ({"how": "error", "status": 401}, CredentialsRejected, False),
        ({"how": "error", "status": 403}, AccountBlocked, False),
        ({"how": "error", "status": 404}, InvalidRequest, False),
        ({"how": "error", "status": 429}, RateLimited, True),
        ({"how": "error", "status": 418}, Refused, False),
        ({"how": "error", "status": 503}, ProviderTrouble, True),
        ({"how": "html", "status": 502}, ProviderTrouble, True),
        ({"how": "html", "status": 200}, ProviderTrouble, True),
        ({"how": "half_json"}, ProviderTrouble, True),
        ({"how": "reset"}, ProviderTrouble, True),
    ],
)
def test_without_the_list_nothing_is_said(
    driver: Driver,
    qiniu: Provider,
    clone: str,
    sandbox: Sandbox,
    fault: dict[str, Any],
    kind: type[ProviderError],
    retryable: bool,
) -> None:
    sandbox.fail(operation="qiniu:list", **fault)
    error = refusal(driver, qiniu, asked(clone))
    assert (type(error) if kind is not Refused else Refused, error.retryable) == (kind, retryable)
    assert sandbox.ledger.calls("qiniu:handshake") == []


# --- how long a list is believed -------------------------------------------------------------------------------------


class Listing:
    """A list that tells what it is told to, counts how often, and ages by hand."""

    def __init__(self) -> None:
        self.rows: Any = []
        self.status = 200
        self.asked = 0
        self.now = 0.0

    def answer(self, peer: Peer) -> None:
        while True:
            request = peer.read_request()
            assert request.line.startswith("GET /v1/voice/list ")
            self.asked += 1
            peer.answer(self.status, json.dumps(self.rows))

    def at(self, server: Loopback) -> VoiceList:
        client = HttpClient(provider="qiniu", account_key="1", base_url=f"{server.http}/v1/voice", secrets=("k",))
        return VoiceList(client=client, headers=bearer(QINIU_TTS_KEY), clock=lambda: self.now)


def test_what_is_listed_is_believed_for_an_hour_and_what_is_missing_for_a_minute() -> None:
    listing = Listing()
    with Loopback(listing.answer) as server:
        voices = listing.at(server)
        for second, times in ((0.0, 1), (59.0, 1), (61.0, 2)):
            listing.now = second
            with pytest.raises(VoiceNotUsable):
                voices.require(CLONE)
            assert listing.asked == times
        listing.rows = [{"voice_type": CLONE}]
        listing.now = 122.0
        voices.require(CLONE)
        assert listing.asked == 3
        listing.rows, listing.now = [], 122.0 + 3599
        assert voices.knows(CLONE)
        voices.require(CLONE)
        assert listing.asked == 3
        listing.now = 122.0 + 3601
        assert not voices.knows(CLONE)
        with pytest.raises(VoiceNotUsable):
            voices.require(CLONE)
        assert listing.asked == 4


def test_another_account_is_another_list() -> None:
    listing = Listing()
    listing.rows = [{"voice_type": CLONE}]
    with Loopback(listing.answer) as server:
        mine = listing.at(server)
        mine.require(CLONE)
        others = replace(mine, client=replace(mine.client, account_key="2"))
        assert not others.knows(CLONE)


@pytest.mark.parametrize(
    "rows",
    [[], [7, None, "x", []], [{"voice_type": 7}, {"voice_type": ""}, {"id": CLONE}], [{"voice_type": "x" * 300}]],
)
def test_rows_that_are_none_name_nobody(rows: Any) -> None:
    listing = Listing()
    listing.rows = rows
    with Loopback(listing.answer) as server:
        for wanted in (CLONE, "", "x" * 300):
            with pytest.raises(VoiceNotUsable):
                listing.at(server).require(wanted)


def test_a_rush_asks_once_and_a_failure_is_remembered_for_moments() -> None:
    listing = Listing()
    listing.status, listing.rows = 503, {"error": "busy"}

    def outcome(_number: int) -> type[Exception]:
        try:
            voices.require(CLONE)
        except ProviderError as error:
            return type(error)
        raise AssertionError("it spoke")

    with Loopback(listing.answer) as server, ThreadPoolExecutor(8) as threads:
        voices = listing.at(server)
        assert set(threads.map(outcome, range(16))) == {ProviderTrouble}
        assert listing.asked == 1
        listing.status, listing.rows, listing.now = 200, [{"voice_type": CLONE}], 6.0
        list(threads.map(voices.require, [CLONE] * 16))
        assert listing.asked == 2


def test_an_event_loop_goes_on_while_the_list_is_asked_for() -> None:
    asked_for, may_answer = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        request = peer.read_request()
        if "voice/list" not in request.line:
            say(peer, request, [frame(1), frame(-2)])
            return
        asked_for.set()
        assert may_answer.wait(10)
        peer.answer(200, json.dumps([{"voice_type": CLONE}]))

    async def both(provider: Provider) -> bool:
        assert provider.speech is not None
        pool: Pool[aio.Connection] = Pool()
        said: list[Spoken] = []

        async def speak() -> None:
            assert provider.speech is not None
            async for some in aio.speak(provider.speech, asked(), pool=pool):
                said.extend(some)

        speaking = asyncio.create_task(speak())
        while not asked_for.is_set():
            await asyncio.sleep(0.005)
        # Only a loop that is not waiting for the list comes here to let it be answered.
        may_answer.set()
        await speaking
        await pool.close()
        return isinstance(said[-1], Done)

    with Loopback(slow) as server:
        assert asyncio.run(both(at(server)))


# --- answers that are none -------------------------------------------------------------------------------------------


def frame(sequence: int, data: Any = SILENCE, **more: Any) -> dict[str, Any]:
    return {"reqid": "r-1", "operation": "query", "sequence": sequence, "data": data, **more}


def at(server: Loopback) -> Provider:
    return registry.build("qiniu", account(server.http, f"{server.ws}/v1/voice/tts"))


def say(peer: Peer, request: Any, frames: list[Any], *, binary: bool = False) -> None:
    assert request.headers["authorization"] == f"Bearer {QINIU_TTS_KEY}"
    peer.upgrade(request)
    opcode, payload = peer.read_frame()
    assert opcode == BINARY
    assert json.loads(payload)["request"] == {"text": TEXT}
    for each in frames:
        content = each if isinstance(each, bytes) else json.dumps(each).encode()
        if binary:
            peer.send_binary(content)
        else:
            peer.send_frame(1, content)
    peer.send_close(1000)


def saying(frames: list[Any], *, binary: bool = False) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()).line.startswith("GET /v1/voice/list"):
            peer.answer(200, json.dumps([{"voice_type": CLONE}]))
        say(peer, request, frames, binary=binary)

    return script


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_the_last_frame_may_have_sound_and_both_kinds_of_frames_are_read(driver: Driver, *, binary: bool) -> None:
    with Loopback(saying([frame(1, ""), frame(2), frame(-3, addition={"duration": "90"})], binary=binary)) as server:
        events = spoken(driver, at(server), asked())
    assert [event.data for event in events if isinstance(event, Audio)] == [b"\xff\xf3sound"] * 2
    assert events[-1] == Done(characters=len(TEXT), request_id="r-1")


HEARD = frame(1)
BROKEN: dict[str, tuple[Any, str, str]] = {
    "no_json": (b"<html>", "no JSON object", ""),
    "list": (b"[1]", "no JSON object", ""),
    "nothing": (b"", "no JSON object", ""),
    "no_sequence": ({"reqid": "r-1", "data": SILENCE}, "without a sequence", ""),
    "sequence_in_words": (frame(1) | {"sequence": "-1"}, "without a sequence", ""),
    "no_base64": (frame(2, "%%%"), "not base64", ""),
    "sound_that_is_none": (frame(2, {"a": 1}), "not base64", ""),
    "error": ({"reqid": "r-1", "error": {"code": "E7", "message": f"no {QINIU_TTS_KEY}"}}, "no [secret]", "E7"),
    "envelope": ({"code": 500, "msg": "busy"}, "busy", "500"),
    "error_in_words": ({"error": "busy"}, "busy", ""),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("heard", [False, True], ids=["first", "after-sound"])
def test_a_frame_that_is_none_is_trouble_and_is_said_again_only_while_nothing_was_heard(
    driver: Driver, name: str, *, heard: bool
) -> None:
    broken, words, code = BROKEN[name]
    with Loopback(saying([*([HEARD] if heard else []), broken])) as server:
        error = refusal(driver, at(server), asked())
    assert type(error) is ProviderTrouble
    assert words in error.detail
    assert error.provider_code == code
    assert error.retryable != heard


def test_an_end_without_sound_is_none(driver: Driver) -> None:
    with Loopback(saying([frame(-1, "")])) as server:
        error = refusal(driver, at(server), asked())
    assert type(error) is ProviderTrouble
    assert error.request_id == "r-1"


def test_a_close_in_the_middle_is_never_an_end(driver: Driver) -> None:
    with Loopback(saying([HEARD])) as server:
        error = refusal(driver, at(server), asked())
    assert type(error) is StreamBroken
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, VoiceNotUsable),
        (401, CredentialsRejected),
        (403, AccountBlocked),
        (404, InvalidRequest),
        (429, RateLimited),
        (451, Refused),
        (500, ProviderTrouble),
        (502, ProviderTrouble),
    ],
)
def test_a_handshake_that_is_refused_says_why(
    driver: Driver, qiniu: Provider, clone: str, sandbox: Sandbox, status: int, kind: type[ProviderError]
) -> None:
    sandbox.fail(operation="qiniu:handshake", how="error", status=status, message="said so")
    error = refusal(driver, qiniu, asked(clone))
    assert type(error) is kind
    assert error.http_status == status
    assert "said so" in error.detail


def test_a_voice_that_was_deleted_within_the_hour_is_refused_by_the_provider(
    driver: Driver, qiniu: Provider, clone: str, sandbox: Sandbox
) -> None:
    spoken(driver, qiniu, asked(clone))
    sandbox.remove_qiniu_voice(clone)
    assert type(refusal(driver, qiniu, asked(clone))) is VoiceNotUsable
