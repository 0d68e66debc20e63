"""CosyVoice against the sandbox: the common contract, and what only this provider does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import pytest

from tests.providers.contract import TEXT, CloningContract, SpeechContract, Stage, TraitsContract, refusal
from tests.providers.loopback import Loopback, Peer
from tests.providers.test_aliyun_errors import ACCOUNT, ENROLLMENT, SYNTHESIS
from tests.recordings import recording
from tests.sample_server import SampleServer
from tests.sandbox_server import ALIYUN_ACCOUNT, ALIYUN_KEY, OTHER_ALIYUN_KEY
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers import registry, ws
from voices.providers.aliyun.cloning import PAGE_SIZE, AliyunCloning
from voices.providers.aliyun.speech import AliyunSpeech
from voices.providers.base import Account, Audio, Done, Mark, OptionValue, RemoteState, SpeechRequest
from voices.providers.errors import (
    ConfigurationError,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    SampleRejected,
    SlotsExhausted,
    StreamBroken,
    Unreachable,
)


def account(http: str, websocket: str, *, api_key: str = ALIYUN_KEY, key: str = "1") -> Account:
    return Account(key=key, credentials={"api_key": api_key}, endpoints={"http": http, "websocket": websocket})


@pytest.fixture
def stage(sandbox: Sandbox) -> Stage:
    where = (sandbox.aliyun_http, sandbox.aliyun_websocket)
    return Stage(
        slug="aliyun",
        account=account(*where),
        other_account=account(*where, api_key=OTHER_ALIYUN_KEY, key="2"),
        wrong_key=account(*where, api_key="sk-wrong-key-12345", key="3"),
        ledger_account=ALIYUN_ACCOUNT,
    )


class TestTraits(TraitsContract):
    SLUG = "aliyun"


class TestCloning(CloningContract):
    pass


class TestSpeech(SpeechContract):
    pass


@pytest.mark.parametrize("api_key", ["sk-1 ", "sk-1\nX-Evil: 1", "密钥"])
def test_a_key_that_no_header_can_carry_is_a_mistake_of_the_set_up_and_not_quoted(api_key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.build("aliyun", account("http://127.0.0.1", "ws://127.0.0.1", api_key=api_key))
    assert api_key.strip() not in str(caught.value)


# --- enrollment on the wire ---


@pytest.mark.parametrize("profile", ["current", "legacy"])
@pytest.mark.parametrize(
    ("rate", "form", "kind"), [(8000, "wav", SampleRejected), (24000, "ogg", SampleRejected)], ids=["8 kHz", "ogg"]
)
def test_it_reads_the_same_refusal_under_both_statuses(
    profile: str,
    rate: int,
    form: str,
    kind: type[ProviderError],
    stage: Stage,
    sandbox: Sandbox,
    samples: SampleServer,
) -> None:
    sandbox.configure(profile=profile)
    order = stage.order(samples, sample=recording(rate=rate, format=form))
    error = refusal(lambda: stage.cloning().create(order), stage)
    assert type(error) is kind
    assert error.http_status in ({400} if profile == "current" else {415, 430})


@pytest.mark.parametrize(("status", "code", "message", "kind", "retryable"), [*ACCOUNT, *ENROLLMENT])
def test_it_translates_every_code_that_a_query_may_meet(
    status: int,
    code: str,
    message: str,
    kind: type[ProviderError],
    retryable: bool,
    stage: Stage,
    sandbox: Sandbox,
) -> None:
    sandbox.fail(operation="list_voice", how="error", status=status, code=code, message=message)
    error = refusal(lambda: stage.cloning().find("t00000000"), stage)
    assert (type(error), error.retryable, error.provider_code, error.http_status) == (kind, retryable, code, status)


def test_a_full_account_has_no_slot_left(stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(quota=1)
    stage.cloning().create(stage.order(samples))
    error = refusal(lambda: stage.cloning().create(stage.order(samples)), stage)
    assert type(error) is SlotsExhausted


def test_too_many_calls_are_told_as_such(stage: Stage, sandbox: Sandbox) -> None:
    sandbox.configure(enrollment_rate=1)
    error = refusal(lambda: [stage.cloning().find("t00000000") for _ in range(3)], stage)
    assert type(error) is RateLimited


def test_a_create_that_times_out_is_unknown(stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.fail(operation="create_voice", how="delay", at="after", seconds=2)
    cloning = stage.cloning()
    assert isinstance(cloning, AliyunCloning)
    hasty = dataclasses.replace(cloning, client=dataclasses.replace(cloning.client, read_seconds=0.5))
    error = refusal(lambda: hasty.create(stage.order(samples)), stage)
    assert type(error) is OutcomeUnknown
    assert len(sandbox.ledger.created()) == 1


def test_it_sends_what_the_model_takes_and_nothing_else(stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
    options: dict[str, OptionValue] = {"max_prompt_audio_length": 15.0, "enable_preprocess": True}
    order = stage.order(samples, options=options)
    stage.cloning().create(order)
    stage.cloning().create(dataclasses.replace(order, model="cosyvoice-v2", options={}))
    bodies = [entry.body for entry in sandbox.ledger.calls("create_voice")]
    assert bodies[0]["model"] == "voice-enrollment"
    assert bodies[0]["input"] == {
        "action": "create_voice",
        "target_model": "cosyvoice-v3-flash",
        "prefix": order.tag,
        "url": order.sample_url,
        "language_hints": ["zh"],
        **options,
    }
    assert bodies[1]["input"].keys() == {"action", "target_model", "prefix", "url"}


def test_it_asks_about_one_voice_by_query_and_about_many_by_one_list(
    stage: Stage, sandbox: Sandbox, samples: SampleServer
) -> None:
    made = [stage.cloning().create(stage.order(samples)).remote_id for _ in range(3)]
    stage.cloning().statuses(made[:1])
    assert len(sandbox.ledger.calls("query_voice")) == 1
    stage.cloning().statuses(made)
    assert len(sandbox.ledger.calls("list_voice")) == 1
    assert len(sandbox.ledger.calls("query_voice")) == 1


def test_the_link_to_the_recording_stays_behind(stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
    made = stage.cloning().create(stage.order(samples)).remote_id
    assert "http" not in repr(stage.cloning().statuses([made]))


# --- answers that the sandbox would never give ---


def row(number: int, *, tag: str = "abc", status: str = "OK") -> dict[str, str]:
    voice_id = f"cosyvoice-v3-flash-{tag}-{number:032x}"
    return {"voice_id": voice_id, "status": status, "gmt_create": f"2026-11-23 00:00:{number % 60:02d}"}


class Lister:
    """Answers list_voice from `rows` by pages, capped at `cap`, and query_voice with "not there"."""

    def __init__(self, rows: list[dict[str, str]], *, cap: int = PAGE_SIZE) -> None:
        self.rows = rows
        self.cap = cap
        self.actions: list[str] = []

    def __call__(self, peer: Peer) -> None:
        while True:
            asked = json.loads(peer.read_request().body)["input"]
            self.actions.append(asked["action"])
            if asked["action"] == "list_voice":
                size = min(asked["page_size"], self.cap)
                start = asked["page_index"] * size
                page = self.rows[start : start + size]
                peer.answer(200, json.dumps({"output": {"voice_list": page}, "request_id": "r-1"}))
            else:
                peer.answer(400, '{"code": "BadRequest.ResourceNotExist", "message": "", "request_id": "r-2"}')


def cloning_at(url: str) -> AliyunCloning:
    cloning = registry.build("aliyun", account(url, "ws://127.0.0.1/")).cloning
    assert isinstance(cloning, AliyunCloning)
    return cloning


@pytest.mark.parametrize("cap", [PAGE_SIZE, 10, 50])
def test_it_reads_all_pages_even_when_they_are_capped(cap: int) -> None:
    with Loopback(Lister([row(number) for number in range(230)], cap=cap)) as server:
        assert len(cloning_at(server.http).find("abc")) == 230


def test_it_stops_listing_when_it_has_found_all() -> None:
    rows = [row(number) for number in range(230)]
    lister = Lister(rows)
    with Loopback(lister) as server:
        told = cloning_at(server.http).statuses([rows[0]["voice_id"], rows[101]["voice_id"]])
    assert len(told) == 2
    assert lister.actions == ["list_voice", "list_voice"]


def test_it_asks_for_a_few_missing_voices_singly_and_leaves_out_the_rest() -> None:
    lister = Lister([row(1)])
    with Loopback(lister) as server:
        told = cloning_at(server.http).statuses([f"missing-{number}" for number in range(8)])
    assert lister.actions == ["list_voice"] + ["query_voice"] * 5
    assert {voice.state for voice in told.values()} == {RemoteState.GONE}
    assert len(told) == 5


def test_it_adopts_no_voice_that_does_not_carry_the_tag_whatever_the_filter_gives() -> None:
    rows = [row(1, tag="abc"), row(2, tag="abcd"), row(3, tag="ABC"), row(4, tag="xabc"), row(0, tag="abc")]
    with Loopback(Lister(rows)) as server:
        found = cloning_at(server.http).find("abc")
    assert [voice.remote_id for voice in found] == [row(0)["voice_id"], row(1)["voice_id"]]


def test_a_page_that_comes_again_and_again_is_read_once() -> None:
    def same_page(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.answer(200, json.dumps({"output": {"voice_list": [row(number) for number in range(20)]}}))

    with Loopback(same_page) as server:
        assert len(cloning_at(server.http).find("abc")) == 20


@pytest.mark.parametrize(("status", "state"), [("DEPLOYING", "working"), ("SOMETHING_NEW", "working"), ("", "working")])
def test_a_status_we_do_not_know_is_still_working(status: str, state: str) -> None:
    with Loopback(Lister([row(1, status=status)])) as server:
        (voice,) = cloning_at(server.http).find("abc")
    assert (voice.state, voice.raw_state) == (state, status)


@pytest.mark.parametrize(
    "body",
    ["{}", '{"output": null}', '{"output": {}}', '{"output": {"voice_list": [1]}}', '{"output": {"voice_list": {}}}'],
)
def test_a_list_that_is_no_list_may_be_asked_for_again(body: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(200, body)

    with Loopback(script) as server, pytest.raises(ProviderTrouble):
        cloning_at(server.http).find("abc")


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"output": {}}',
        '{"output": {"voice_id": ""}}',
        '{"output": {"voice_id": 7}}',
        '{"output": {"voice_id": "%s"}}' % ("v" * 201),
    ],
)
def test_a_success_without_a_voice_id_leaves_the_outcome_unknown(
    body: str, stage: Stage, samples: SampleServer
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(200, body)

    with Loopback(script) as server:
        error = refusal(lambda: cloning_at(server.http).create(stage.order(samples)), stage)
    assert type(error) is OutcomeUnknown


def test_an_error_under_status_200_is_an_error() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(200, '{"code": "Throttling", "message": "slow down"}')

    with Loopback(script) as server, pytest.raises(RateLimited):
        cloning_at(server.http).find("abc")


# --- speech on the wire ---


@pytest.fixture
def voice(stage: Stage, sandbox: Sandbox, samples: SampleServer) -> str:
    return stage.cloning().create(stage.order(samples)).remote_id


def speak(
    stage: Stage, voice: str, *, text: str = TEXT, options: dict[str, OptionValue] | None = None, speech: object = None
) -> list[ws.Spoken]:
    request = SpeechRequest(
        remote_id=voice,
        model="cosyvoice-v3-flash",
        text=text,
        audio_format="pcm",
        sample_rate=24000,
        options=options or {},
    )
    assert speech is None or isinstance(speech, AliyunSpeech)
    return list(ws.speak(speech or stage.speech(), request))


def hasty(stage: Stage) -> AliyunSpeech:
    speech = stage.speech()
    assert isinstance(speech, AliyunSpeech)
    return dataclasses.replace(speech, open_timeout=0.5, frame_timeout=0.5)


@pytest.mark.parametrize(
    ("code", "message", "kind", "retryable"), [row for row in SYNTHESIS if row[0]] + [row[1:] for row in ACCOUNT]
)
def test_it_translates_every_code_that_a_task_may_fail_with(
    code: str, message: str, kind: type[ProviderError], retryable: bool, stage: Stage, sandbox: Sandbox, voice: str
) -> None:
    sandbox.fail(operation="synthesis", how="error", code=code, message=message)
    error = refusal(lambda: speak(stage, voice), stage)
    assert (type(error), error.retryable, error.provider_code) == (kind, retryable, code)
    assert error.request_id


@pytest.mark.parametrize(("status", "code", "message", "kind", "retryable"), ACCOUNT)
def test_it_translates_every_code_that_a_handshake_may_be_refused_with(
    status: int, code: str, message: str, kind: type[ProviderError], retryable: bool, stage: Stage, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="handshake", how="error", status=status, code=code, message=message)
    error = refusal(lambda: speak(stage, "some-voice"), stage)
    assert (type(error), error.retryable, error.provider_code, error.http_status) == (kind, retryable, code, status)


@pytest.mark.parametrize("how", ["drop", "reset", "delay"])
def test_a_handshake_that_fails_is_unreachable(how: str, stage: Stage, sandbox: Sandbox) -> None:
    sandbox.fail(operation="handshake", how=how, seconds=1)  # type: ignore[arg-type]
    error = refusal(lambda: speak(stage, "some-voice", speech=hasty(stage)), stage)
    assert type(error) is Unreachable


@pytest.mark.parametrize("how", ["no_task_started", "stall"])
def test_a_provider_that_falls_silent_is_not_waited_for(how: str, stage: Stage, sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how=how)  # type: ignore[arg-type]
    error = refusal(lambda: speak(stage, voice, speech=hasty(stage)), stage)
    assert type(error) is StreamBroken
    assert error.retryable


def test_events_of_another_task_end_this_one(stage: Stage, sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="wrong_task_id")
    assert type(refusal(lambda: speak(stage, voice), stage)) is ProviderTrouble


def test_word_times_follow_the_text(stage: Stage, sandbox: Sandbox, voice: str) -> None:
    events = speak(stage, voice, options={"word_timestamp_enabled": True})
    marks = [event for event in events if isinstance(event, Mark)]
    audio = b"".join(event.data for event in events if isinstance(event, Audio))
    said = "".join(mark.text for mark in marks)
    assert [sign for sign in said if sign not in "？。"] == [sign for sign in TEXT if sign not in "？。"]
    assert [mark.begin_ms for mark in marks] == sorted(mark.begin_ms for mark in marks)
    assert marks[-1].end_ms <= len(audio) / 2 / 24000 * 1000 + 50


def test_every_option_of_the_model_reaches_the_provider(stage: Stage, sandbox: Sandbox, voice: str) -> None:
    options: dict[str, OptionValue] = {
        "volume": 80,
        "rate": 1.5,
        "pitch": 0.9,
        "seed": 7,
        "instruction": "请用广东话表达。",
        "language_hints": "zh",
        "word_timestamp_enabled": True,
        "enable_markdown_filter": True,
        "pronunciation": "天气=tian1 qi4",
        "replace": "今天=明天",
    }
    assert isinstance(speak(stage, voice, options=options)[-1], Done)
    (frame,) = (entry.body for entry in sandbox.ledger.calls("run-task"))
    assert frame["payload"]["parameters"] == {
        "text_type": "PlainText",
        "voice": voice,
        "format": "pcm",
        "sample_rate": 24000,
        "volume": 80,
        "rate": 1.5,
        "pitch": 0.9,
        "seed": 7,
        "instruction": "请用广东话表达。",
        "language_hints": ["zh"],
        "word_timestamp_enabled": True,
        "enable_markdown_filter": True,
        "hot_fix": {"pronunciation": [{"天气": "tian1 qi4"}], "replace": [{"今天": "明天"}]},
    }


def test_faster_speech_is_shorter(stage: Stage, sandbox: Sandbox, voice: str) -> None:
    def length(rate: float) -> int:
        return sum(len(event.data) for event in speak(stage, voice, options={"rate": rate}) if isinstance(event, Audio))

    assert length(2.0) < 0.7 * length(1.0)


def test_ssml_goes_in_one_piece(stage: Stage, sandbox: Sandbox, voice: str) -> None:
    text = f"<speak>{TEXT}</speak>"
    events = speak(stage, voice, text=text, options={"enable_ssml": True})
    assert isinstance(events[-1], Done)
    assert events[-1].characters == registry.traits("aliyun").count_characters(text)
    assert len(sandbox.ledger.calls("continue-task")) == 1


def test_long_text_goes_in_pieces_and_comes_back_whole(stage: Stage, sandbox: Sandbox, voice: str) -> None:
    text = "Nevertheless, straightforwardness. " * 60
    done = speak(stage, voice, text=text, options={"rate": 2.0})[-1]
    assert isinstance(done, Done)
    assert done.characters == len(text)
    sent = [entry.body["payload"]["input"]["text"] for entry in sandbox.ledger.calls("continue-task")]
    assert "".join(sent) == text
    assert len(sent) == 2


def test_a_connection_that_the_provider_closed_while_it_waited_is_replaced(
    stage: Stage, sandbox: Sandbox, voice: str
) -> None:
    sandbox.configure(between_tasks_seconds=0.05)
    for _ in range(3):
        assert isinstance(speak(stage, voice)[-1], Done)


def test_a_request_refused_before_asking_costs_no_connection(stage: Stage, sandbox: Sandbox, voice: str) -> None:
    speak(stage, voice)
    refusal(lambda: speak(stage, voice, options={"no_such_thing": 1}), stage)
    speak(stage, voice)
    assert len(sandbox.ledger.calls("handshake")) == 1


SCRIPTS: dict[str, Callable[[Peer], None]] = {
    "invalid JSON": lambda peer: peer.send_text("{"),
    "binary before task-started": lambda peer: peer.send_binary(b"someone else's"),
    "no header": lambda peer: peer.send_text({"payload": {}}),
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_garbage_closes_the_connection_and_is_never_audio(script: Callable[[Peer], None], stage: Stage) -> None:
    def talk(peer: Peer) -> None:
        peer.handshake()
        peer.read_text()
        script(peer)
        peer.wait_until_left()

    with Loopback(talk) as server:
        speech = registry.build("aliyun", account("http://127.0.0.1/", server.ws)).speech
        error = refusal(lambda: speak(stage, "some-voice", speech=speech), stage)
        assert type(error) is ProviderTrouble
        assert error.retryable
