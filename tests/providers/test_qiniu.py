"""Qiniu over the sandbox's wire, in both dialects of its page and both ways of telling an error."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.listening import listen
from tests.providers.loopback import Loopback, Peer, free_port
from tests.providers.test_qiniu_errors import CODES
from tests.recordings import CHINESE_WOMAN, WOMAN, recording, silence
from tests.sample_server import Answer, SampleServer
from tests.sandbox_server import OTHER_QINIU_KEY, QINIU_ACCOUNT, QINIU_KEY
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers import registry
from voices.providers.base import Account, OptionValue, RemoteState, RemoteVoice, VoiceOrder
from voices.providers.errors import (
    Act,
    ConfigurationError,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    SampleRejected,
    SlotsExhausted,
    Unreachable,
    VoiceNotDeletable,
    VoiceNotFound,
    VoiceNotUsable,
)
from voices.providers.qiniu import quota
from voices.providers.qiniu.cloning import QiniuCloning
from voices.providers.qiniu.errors import Call
from voices.providers.qiniu.traits import FREE_LANGUAGES, MODEL_ID, TRAITS

WIRES = [(dialect, transport) for dialect in ("current", "legacy") for transport in ("body", "mirror")]
SECRET_URL = "http://127.0.0.1:9/samples/signed-abcdef?signature=ghijkl"


def account(http: str, *, api_key: str = QINIU_KEY, key: str = "1", demo_hosts: str = "") -> Account:
    return Account(key=key, credentials={"api_key": api_key}, endpoints={"http": http, "demo_hosts": demo_hosts})


def cloning_at(of: Account) -> QiniuCloning:
    cloning = registry.build("qiniu", of).cloning
    assert isinstance(cloning, QiniuCloning)
    return cloning


@pytest.fixture(params=WIRES, ids=["-".join(wire) for wire in WIRES])
def cloning(request: pytest.FixtureRequest, sandbox: Sandbox) -> QiniuCloning:
    """On every kind of wire."""
    dialect, transport = request.param
    sandbox.configure(qiniu_dialect=dialect, qiniu_transport=transport)
    return cloning_at(account(sandbox.qiniu_http))


@pytest.fixture
def today(sandbox: Sandbox) -> QiniuCloning:
    return cloning_at(account(sandbox.qiniu_http))


def order(
    samples: SampleServer,
    *,
    sample: bytes | None = None,
    url: str = "",
    name: str = "小明",
    language: str = "zh",
    options: Mapping[str, OptionValue] | None = None,
) -> VoiceOrder:
    data = recording(CHINESE_WOMAN) if sample is None else sample
    return VoiceOrder(
        tag="t00000001",
        name=name,
        model=MODEL_ID,
        language=language,
        sample_url=url or samples.url(data),
        sample=lambda: data,
        options=options or {},
    )


def made(cloning: QiniuCloning, wanted: VoiceOrder) -> str:
    return cloning.create(wanted).remote_id


def trained(cloning: QiniuCloning, wanted: VoiceOrder) -> str:
    remote_id = made(cloning, wanted)
    cloning.train(remote_id, wanted)
    return remote_id


def status(cloning: QiniuCloning, remote_id: str) -> RemoteState:
    return cloning.statuses([remote_id])[remote_id].state


def bodies(sandbox: Sandbox, operation: str) -> list[Any]:
    return [entry.body for entry in sandbox.ledger.calls(operation)]


# --- traits --------------------------------------------------------------------------------------------------------------


def test_it_says_that_it_cannot_speak_and_why() -> None:
    provider = registry.build("qiniu", account("http://127.0.0.1:1"))
    assert provider.speech is None
    assert not TRAITS.can_synthesize
    assert str(TRAITS.speech_note)
    assert str(TRAITS.delete_note)


def test_it_offers_the_free_tier_unless_somebody_chooses() -> None:
    (tier,) = TRAITS.enrollment_parameters(MODEL_ID)
    assert (tier.name, tier.default, tier.advanced) == ("tier", "free", True)
    assert [choice.value for choice in tier.choices] == ["free", "pro"]
    assert [choice.value for choice in FREE_LANGUAGES] == ["zh", "en"]
    assert len(TRAITS.model(MODEL_ID).languages) == 14


def test_it_takes_no_key_that_would_not_survive_a_header() -> None:
    for key in ("two words", "line\nend", "密钥"):
        with pytest.raises(ConfigurationError):
            registry.build("qiniu", account("http://127.0.0.1:1", api_key=key))


# --- places and training -------------------------------------------------------------------------------------------------


def test_a_voice_is_a_place_first_and_trained_afterwards(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    wanted = order(samples)
    place = cloning.create(wanted)
    assert (place.state, place.raw_state, place.demo_url) == (RemoteState.EMPTY, "Init", "")
    assert place.request_id
    assert status(cloning, place.remote_id) is RemoteState.EMPTY

    told = cloning.train(place.remote_id, wanted)
    assert (told.remote_id, told.state, told.raw_state) == (place.remote_id, RemoteState.WORKING, "Training")

    ready = cloning.statuses([place.remote_id])[place.remote_id]
    assert (ready.state, ready.raw_state) == (RemoteState.READY, "Success")
    assert ready.demo_url.startswith(sandbox.origin)
    (row,) = sandbox.qiniu_voices(QINIU_ACCOUNT)
    assert row["name"] == "小明"


def test_it_says_no_more_than_the_model_for_a_free_chinese_voice(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    made(cloning, order(samples))
    assert bodies(sandbox, "create_clone") == [{"model_id": "QN_ACV"}]


def test_it_names_language_and_tier_where_they_are_not_the_usual_ones(
    today: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    made(today, order(samples, language="en"))
    made(today, order(samples, language="ja", options={"tier": "pro"}))
    made(today, order(samples, options={"tier": "free"}))
    assert bodies(sandbox, "create_clone") == [
        {"model_id": "QN_ACV", "language": "en"},
        {"model_id": "QN_ACV", "language": "ja", "tier": "pro"},
        {"model_id": "QN_ACV"},
    ]


def test_a_language_of_the_paid_tier_is_refused_before_asking(
    today: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        today.create(order(samples, language="ja"))
    assert caught.value.act is Act.USER
    assert sandbox.ledger.entries() == []


@pytest.mark.parametrize("options", [{"no_such_thing": 1}, {"tier": "lite"}])
def test_an_option_that_does_not_exist_is_refused_before_asking(
    today: QiniuCloning, sandbox: Sandbox, samples: SampleServer, options: dict[str, OptionValue]
) -> None:
    with pytest.raises(InvalidRequest):
        today.create(order(samples, options=options))
    with pytest.raises(InvalidRequest):
        today.train("some-id", order(samples, options=options))
    assert sandbox.ledger.entries() == []


def test_training_sends_the_address_and_the_name(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    wanted = order(samples)
    trained(cloning, wanted)
    assert bodies(sandbox, "train_clone") == [{"key": wanted.sample_url, "name": "小明"}]


def test_it_tells_that_and_why_a_voice_has_failed(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    remote_id = trained(cloning, order(samples, sample=silence()))
    told = cloning.statuses([remote_id])[remote_id]
    assert (told.state, told.raw_state) == (RemoteState.FAILED, "Failed")
    assert isinstance(told.reason, SampleRejected)
    assert told.reason.request_id

    cloning.train(remote_id, order(samples))
    assert status(cloning, remote_id) is RemoteState.READY
    assert len(sandbox.ledger.created(QINIU_ACCOUNT)) == 1


def test_a_recording_that_cannot_be_fetched_is_told_when_the_provider_says_so(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    missing = order(samples, url=samples.url_of(Answer(status=404)))
    remote_id = trained(cloning, missing)
    assert status(cloning, remote_id) is RemoteState.FAILED
    sandbox.configure(qiniu_unfetched="refused")
    with pytest.raises(InvalidRequest) as caught:
        cloning.train(remote_id, missing)
    assert caught.value.provider_code == "400"
    assert caught.value.detail


def test_it_tells_that_a_voice_is_still_in_training(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    sandbox.configure(train_seconds=3600)
    remote_id = trained(cloning, order(samples))
    assert status(cloning, remote_id) is RemoteState.WORKING
    with pytest.raises(InvalidRequest):
        cloning.train(remote_id, order(samples))


def test_a_state_that_nobody_has_told_us_about_is_work_going_on(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    remote_id = trained(cloning, order(samples))
    sandbox.fail(operation="get_clone", how="unknown_state")
    told = cloning.statuses([remote_id])[remote_id]
    assert (told.state, told.raw_state) == (RemoteState.WORKING, "Polishing")


# --- names ---------------------------------------------------------------------------------------------------------------


def test_renaming_never_trains(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    remote_id = trained(cloning, order(samples))
    cloning.rename(remote_id, "奶奶")
    assert bodies(sandbox, "rename_clone") == [{"name": "奶奶"}]
    assert len(sandbox.ledger.calls("train_clone")) == 1
    assert [row["name"] for row in sandbox.qiniu_voices()] == ["奶奶"]
    assert status(cloning, remote_id) is RemoteState.READY


def test_a_name_that_the_provider_refuses_is_for_its_owner_to_change(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    remote_id = made(cloning, order(samples))
    with pytest.raises(InvalidRequest) as caught:
        cloning.rename(remote_id, "字" * 21)
    assert caught.value.act is Act.USER


# --- looking -------------------------------------------------------------------------------------------------------------


def test_it_asks_for_one_by_itself_and_for_several_by_the_list(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    ids = [trained(cloning, order(samples)) for _voice in range(3)]
    assert cloning.statuses([]) == {}
    assert set(cloning.statuses(ids)) == set(ids)
    assert (len(sandbox.ledger.calls("list_clones")), len(sandbox.ledger.calls("get_clone"))) == (1, 0)
    cloning.statuses(ids[:1])
    assert (len(sandbox.ledger.calls("list_clones")), len(sandbox.ledger.calls("get_clone"))) == (1, 1)


def test_a_voice_that_is_not_there_is_gone(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    remote_id = trained(cloning, order(samples))
    missing = cloning.statuses(["nobody"])["nobody"]
    assert missing.state is RemoteState.GONE
    assert isinstance(missing.reason, VoiceNotFound)
    told = cloning.statuses(["nobody", remote_id])
    assert (told["nobody"].state, told[remote_id].state) == (RemoteState.GONE, RemoteState.READY)


def test_one_account_does_not_see_the_other(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    remote_id = made(cloning, order(samples))
    other = cloning_at(account(sandbox.qiniu_http, api_key=OTHER_QINIU_KEY, key="2"))
    assert status(other, remote_id) is RemoteState.GONE
    assert other.unclaimed(order(samples)) == []


def test_it_looks_up_a_voice_that_was_trained_elsewhere(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    ready, empty = trained(cloning, order(samples)), made(cloning, order(samples))
    assert cloning.look_up(ready, MODEL_ID).state is RemoteState.READY
    assert cloning.look_up("nobody", MODEL_ID).state is RemoteState.GONE
    told = cloning.look_up(empty, MODEL_ID)
    assert told.state is RemoteState.FAILED
    assert isinstance(told.reason, VoiceNotUsable)


def test_an_id_stays_one_part_of_the_path(cloning: QiniuCloning, sandbox: Sandbox) -> None:
    strange = "a/b?c=d#音"
    assert status(cloning, strange) is RemoteState.GONE
    (asked,) = sandbox.ledger.calls("get_clone")
    assert asked.voice_id == strange


# --- places that nobody has ----------------------------------------------------------------------------------------------


def test_an_empty_place_without_a_name_of_its_own_is_unclaimed(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    wanted = order(samples)
    empty, named = made(cloning, wanted), made(cloning, wanted)
    trained(cloning, wanted)
    cloning.rename(named, "somebody's")
    assert [place.remote_id for place in cloning.unclaimed(wanted)] == [empty]


def test_a_place_of_another_tier_or_language_will_not_do(
    today: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    free, paid = order(samples), order(samples, options={"tier": "pro"})
    english = order(samples, language="en")
    places = {name: made(today, wanted) for name, wanted in (("free", free), ("paid", paid), ("en", english))}
    assert [place.remote_id for place in today.unclaimed(free)] == [places["free"]]
    assert [place.remote_id for place in today.unclaimed(paid)] == [places["paid"]]
    assert [place.remote_id for place in today.unclaimed(english)] == [places["en"]]


def test_it_cannot_find_by_a_tag(today: QiniuCloning, sandbox: Sandbox) -> None:
    assert not TRAITS.can_find_by_tag
    with pytest.raises(InvalidRequest):
        today.find("t00000001")
    assert sandbox.ledger.entries() == []


# --- deleting ------------------------------------------------------------------------------------------------------------


def test_deleting_twice_is_as_good_as_once(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    remote_id = trained(cloning, order(samples))
    cloning.delete(remote_id)
    cloning.delete(remote_id)
    assert sandbox.ledger.deleted(QINIU_ACCOUNT) == [remote_id]
    assert status(cloning, remote_id) is RemoteState.GONE


def test_a_delete_that_succeeds_and_answers_like_a_failure_is_a_success(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    for fault in ({"how": "error", "status": 500}, {"how": "error", "code": "777"}, {"how": "html", "status": 502}):
        remote_id = made(cloning, order(samples))
        sandbox.fail(operation="delete_clone", at="after", **fault)
        cloning.delete(remote_id)
    assert sandbox.qiniu_voices() == []


def test_a_delete_that_failed_is_told(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    remote_id = made(cloning, order(samples))
    sandbox.fail(operation="delete_clone", how="error", status=500)
    with pytest.raises(ProviderTrouble) as caught:
        cloning.delete(remote_id)
    assert caught.value.retryable
    sandbox.fail(operation="delete_clone", how="error", status=401)
    with pytest.raises(CredentialsRejected):
        cloning.delete(remote_id)
    assert [row["id"] for row in sandbox.qiniu_voices()] == [remote_id]


def test_a_paid_place_is_never_deleted(today: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    for transport in ("body", "mirror"):
        sandbox.configure(qiniu_transport=transport)
        remote_id = made(today, order(samples, options={"tier": "pro"}))
        with pytest.raises(VoiceNotDeletable) as caught:
            today.delete(remote_id)
        assert caught.value.provider_code == "403"
        assert status(today, remote_id) is RemoteState.EMPTY


# --- paying --------------------------------------------------------------------------------------------------------------


def test_it_says_when_no_paid_training_is_left(today: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(qiniu_paid_trainings=1)
    paid = order(samples, options={"tier": "pro"})
    trained(today, paid)
    second = made(today, paid)
    with pytest.raises(SlotsExhausted) as caught:
        today.train(second, paid)
    assert str(caught.value.sentence)


def test_an_unknown_quota_is_not_an_empty_one(today: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(qiniu_paid_trainings=1)
    paid = order(samples, options={"tier": "pro"})
    trained(today, paid)
    second = made(today, paid)
    for status_ in (404, 500):
        sandbox.fail(operation="get_quota", how="error", status=status_)
        with pytest.raises(InvalidRequest):
            today.train(second, paid)


NOW = datetime(2026, 11, 23, tzinfo=UTC)


def package(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "resource_type": quota.RESOURCE,
        "status": 0,
        "usage_count": 2,
        "total_count": 5,
        "expired_time": (NOW + timedelta(days=1)).isoformat(),
    }
    return whole | changes


@pytest.mark.parametrize(
    ("pages", "left"),
    [
        ([{"quotas": [package(), package(total_count=2)], "next_cursor": ""}], 3),
        ([{"quotas": [package()], "next_cursor": "c"}, {"quotas": [package()], "next_cursor": ""}], 6),
        ([{"quotas": [package(status=1)], "next_cursor": ""}], 0),
        ([{"quotas": [package(expired_time="2026-11-22T00:00:00Z")], "next_cursor": ""}], 0),
        ([{"quotas": [package(resource_type="other")], "next_cursor": ""}], 0),
        ([{"quotas": [], "next_cursor": ""}], None),
        ([{}], None),
        ([{"quotas": "many"}], None),
        ([{"quotas": [7]}], None),
        ([{"quotas": [package(usage_count="2")]}], None),
        ([{"quotas": [package(usage_count=-2)]}], None),
        ([{"quotas": [package(usage_count=True)]}], None),
        ([{"quotas": [package(expired_time="soon")]}], None),
        ([{"quotas": [package(expired_time="2026-11-24T00:00:00")]}], None),
    ],
)
def test_it_counts_what_is_active_and_has_not_expired(pages: list[dict[str, object]], left: int | None) -> None:
    asked: list[Mapping[str, str]] = []

    def page(query: Mapping[str, str]) -> Mapping[str, object]:
        asked.append(query)
        return pages[len(asked) - 1]

    assert quota.left(page, now=NOW) == left
    assert asked[0] == {"resource_type": "1", "limit": "100"}
    assert all(query.get("cursor") == "c" for query in asked[1:])


# --- demos ---------------------------------------------------------------------------------------------------------------


def test_it_fetches_the_demo_without_showing_its_key(
    today: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    remote_id = trained(today, order(samples, sample=recording(WOMAN)))
    link = today.statuses([remote_id])[remote_id].demo_url
    heard = listen(today.demo(remote_id, link))
    assert heard.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.1)
    (fetched,) = sandbox.ledger.calls("demo")
    assert "Authorization" not in fetched.headers
    assert len(sandbox.ledger.calls("get_clone")) == 1


def test_it_asks_for_the_link_anew_when_it_has_aged(
    today: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    remote_id = trained(today, order(samples))
    link = today.statuses([remote_id])[remote_id].demo_url
    old = link.replace(".wav", "")[:-4] + "0000.wav"
    sandbox.ledger.clear()
    assert today.demo(remote_id, old).startswith(b"RIFF")
    assert len(sandbox.ledger.calls("get_clone")) == 1
    assert len(sandbox.ledger.calls("demo")) == 2


def test_it_fetches_from_no_host_that_is_not_allowed(
    today: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    """A provider's word must not lead us to what only we can reach."""
    remote_id = made(today, order(samples))
    with Loopback(lambda peer: None) as inside:
        for link in (
            f"http://localhost:{inside.port}/secret",
            "file:///etc/passwd",
            "http://[half",
            f"http://someone@127.0.0.1:{inside.port}/secret",
        ):
            with pytest.raises(Refused):
                today.demo(remote_id, link)
        assert inside.connections == 0


def test_it_fetches_from_beneath_the_hosts_that_the_operator_names(sandbox: Sandbox, samples: SampleServer) -> None:
    allowed = account(sandbox.qiniu_http, demo_hosts="example.com, LOCALHOST")
    cloning = cloning_at(allowed)
    link = samples.url(b"RIFF....WAVE").replace("127.0.0.1", "localhost")
    assert cloning.demo("whoever", link) == b"RIFF....WAVE"


def test_it_takes_no_demo_without_end(sandbox: Sandbox, samples: SampleServer, today: QiniuCloning) -> None:
    remote_id = made(today, order(samples))
    with pytest.raises(ProviderTrouble):
        today.demo(remote_id, samples.url(b"\0" * (8 * 1024 * 1024 + 1)))


def test_the_demo_of_a_voice_that_is_gone_says_so(today: QiniuCloning, sandbox: Sandbox) -> None:
    with pytest.raises(VoiceNotFound):
        today.demo("nobody", f"{sandbox.origin}/qiniu-demo/nobody/{'0' * 64}.wav")


def test_it_keeps_no_link_that_is_none(sandbox: Sandbox) -> None:
    for link in (5, None, "javascript:alert(1)", "https://example.com/" + "x" * 1000):
        voice = {"id": "v", "name": "n", "state": "Success", "demo_url": link}
        with saying({"code": 0, "data": voice}) as server:
            cloning = cloning_at(account(server.http, key=f"link-{server.port}"))
            assert cloning.statuses(["v"])["v"].demo_url == ""


# --- a wire that breaks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "reset", "html", "half_json", "no_data", "contradiction"])
@pytest.mark.parametrize("operation", ["create_clone", "train_clone"])
def test_a_call_that_costs_and_whose_answer_is_lost_is_unknown_and_sent_once(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer, operation: str, how: str
) -> None:
    remote_id = made(cloning, order(samples))
    sandbox.ledger.clear()
    sandbox.fail(operation=operation, how=how, at="after", status=502)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown) as caught:
        cloning.create(order(samples)) if operation == "create_clone" else cloning.train(remote_id, order(samples))
    assert not caught.value.retryable
    assert len(sandbox.ledger.calls(operation)) == 1


@pytest.mark.parametrize("how", ["drop", "reset", "html", "half_json", "no_data", "contradiction"])
def test_a_question_whose_answer_is_lost_may_be_asked_again(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer, how: str
) -> None:
    remote_id = made(cloning, order(samples))
    sandbox.fail(operation="get_clone", how=how, at="after", status=502)  # type: ignore[arg-type]
    with pytest.raises(ProviderTrouble) as caught:
        status(cloning, remote_id)
    assert caught.value.retryable
    assert status(cloning, remote_id) is RemoteState.EMPTY


def test_a_zero_may_be_a_word(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.fail(operation="create_clone", how="string_code")
    assert cloning.create(order(samples)).state is RemoteState.EMPTY


def test_a_500_leaves_what_costs_unknown_and_a_question_open(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    sandbox.fail(operation="*", how="error", status=500, times=2)
    with pytest.raises(OutcomeUnknown):
        cloning.create(order(samples))
    with pytest.raises(ProviderTrouble):
        cloning.unclaimed(order(samples))


def test_it_is_told_how_long_to_wait(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.fail(operation="create_clone", how="error", status=429)
    with pytest.raises(RateLimited) as caught:
        cloning.create(order(samples))
    assert caught.value.retry_after == 2.0


def test_a_code_that_nobody_has_told_us_about_is_carried(
    cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer
) -> None:
    sandbox.fail(operation="create_clone", how="error", code="31415", message="新的问题")
    with pytest.raises(Refused) as caught:
        cloning.create(order(samples))
    error = caught.value
    assert (error.provider_code, error.detail) == ("31415", "新的问题")
    assert error.request_id


ASKED: Mapping[Call, tuple[str, Callable[[QiniuCloning, VoiceOrder, str], object]]] = {
    Call.CREATE: ("create_clone", lambda cloning, wanted, _id: cloning.create(wanted)),
    Call.TRAIN: ("train_clone", lambda cloning, wanted, remote_id: cloning.train(remote_id, wanted)),
    Call.RENAME: ("rename_clone", lambda cloning, _wanted, remote_id: cloning.rename(remote_id, "小红")),
    Call.GET: ("get_clone", lambda cloning, _wanted, remote_id: cloning.look_up(remote_id, MODEL_ID)),
    Call.LIST: ("list_clones", lambda cloning, wanted, _id: cloning.unclaimed(wanted)),
    Call.DELETE: ("delete_clone", lambda cloning, _wanted, remote_id: cloning.delete(remote_id)),
}


@pytest.mark.parametrize(
    ("call", "code", "kind", "retryable"), [row for row in CODES if row[0] in ASKED and row[1].isdigit()]
)
def test_it_translates_every_code_of_every_call(
    today: QiniuCloning,
    sandbox: Sandbox,
    samples: SampleServer,
    call: Call,
    code: str,
    kind: type[ProviderError],
    retryable: bool,
) -> None:
    wanted = order(samples)
    remote_id = made(today, wanted)
    operation, ask = ASKED[call]
    sandbox.ledger.clear()
    sandbox.fail(operation=operation, how="error", code=code)
    if kind is VoiceNotFound and call in (Call.GET, Call.DELETE):
        told = ask(today, wanted, remote_id)
        assert told is None or (isinstance(told, RemoteVoice) and isinstance(told.reason, VoiceNotFound))
    else:
        with pytest.raises(kind) as caught:
            ask(today, wanted, remote_id)
        assert (type(caught.value), caught.value.retryable) == (kind, retryable)
        assert caught.value.provider_code == code
        assert caught.value.request_id
    assert len(sandbox.ledger.calls(operation)) == 1


def test_a_wrong_key_is_told_as_such(cloning: QiniuCloning, sandbox: Sandbox, samples: SampleServer) -> None:
    wrong = cloning_at(account(sandbox.qiniu_http, api_key="wrong-key-12345", key="3"))
    for call in (
        lambda: wrong.create(order(samples)),
        lambda: wrong.train("some-id", order(samples)),
        lambda: wrong.rename("some-id", "n"),
        lambda: wrong.statuses(["some-id"]),
        lambda: wrong.unclaimed(order(samples)),
        lambda: wrong.delete("some-id"),
    ):
        with pytest.raises(CredentialsRejected) as caught:
            call()
        assert "wrong-key-12345" not in f"{caught.value} {caught.value!r}"
    assert sandbox.qiniu_voices() == []


def test_nothing_happened_when_nobody_listens(samples: SampleServer) -> None:
    nowhere = cloning_at(account(f"http://127.0.0.1:{free_port()}", key="nowhere"))
    for call in (lambda: nowhere.create(order(samples)), lambda: nowhere.delete("some-id")):
        with pytest.raises(Unreachable) as caught:
            call()
        assert caught.value.retryable


def test_no_error_holds_the_key_or_the_signed_address(sandbox: Sandbox, samples: SampleServer) -> None:
    told = {"code": 400, "msg": f"cannot fetch {SECRET_URL} for Bearer {QINIU_KEY}", "reqid": "r-9"}
    with saying(told) as server:
        cloning = cloning_at(account(server.http, key=f"echo-{server.port}"))
        with pytest.raises(ProviderError) as caught:
            cloning.train("v", order(samples, url=SECRET_URL))
    error = caught.value
    shown = f"{error} {error!r} {error.detail} {error.__cause__!r} {error.sentence} {cloning!r}"
    for secret in (QINIU_KEY, "signed-abcdef", "ghijkl"):
        assert secret not in shown
    assert error.request_id == "r-9"


@pytest.mark.parametrize("status_", [200, 404])
def test_the_body_wins_over_the_status(samples: SampleServer, status_: int) -> None:
    with saying({"code": 401, "msg": "no"}, status=status_) as server:
        cloning = cloning_at(account(server.http, key=f"wins-{server.port}"))
        with pytest.raises(CredentialsRejected):
            cloning.create(order(samples))


@pytest.mark.parametrize(
    "body",
    [
        {"code": 0},
        {"code": 0, "data": None},
        {"code": 0, "data": []},
        {"code": 0, "data": {"id": "", "state": "Init"}},
        {"code": 0, "data": {"id": 7, "state": "Init"}},
        {"code": 0, "data": {"id": "v" * 201, "state": "Init"}},
        {"code": 0, "data": {"id": "v", "state": ["Init"]}},
        {"code": 0, "data": {"id": "v"}},
        {"code": False, "data": {"id": "v", "state": "Init"}},
        {"data": {"id": "v", "state": "Init"}},
    ],
)
def test_it_never_invents_a_voice(samples: SampleServer, body: dict[str, object]) -> None:
    with saying(body) as server:
        cloning = cloning_at(account(server.http, key=f"invents-{server.port}"))
        with pytest.raises(OutcomeUnknown):
            cloning.create(order(samples))
    with saying(body) as server:
        cloning = cloning_at(account(server.http, key=f"invents-{server.port}"))
        with pytest.raises(ProviderTrouble):
            cloning.statuses(["v"])


@pytest.mark.parametrize(
    ("data", "count"),
    [({"voices": []}, 0), ({"voices": None}, 0), ({}, 0), ({"voices": [{"id": "v", "state": "Init"}]}, 1)],
)
def test_an_empty_list_comes_in_many_forms(data: dict[str, object], count: int) -> None:
    def script(peer: Peer) -> None:
        while True:
            request = peer.read_request()
            one = {"code": 404, "msg": "none"} if "/v1/voice-clones/" in request.line else {"code": 0, "data": data}
            peer.answer(200, json.dumps(one))

    with Loopback(script) as server:
        told = cloning_at(account(server.http, key=f"list-{server.port}")).statuses(["v", "w"])
    assert [voice.state for voice in told.values()].count(RemoteState.EMPTY) == count


@pytest.mark.parametrize("data", [{"voices": {}}, {"voices": ["v"]}, {"voices": [{"id": "v"}]}])
def test_a_list_that_cannot_be_read_is_trouble(data: dict[str, object]) -> None:
    with saying({"code": 0, "data": data}) as server, pytest.raises(ProviderTrouble):
        cloning_at(account(server.http, key=f"unread-{server.port}")).statuses(["v", "w"])


def test_it_keeps_of_an_answer_what_there_is_room_for() -> None:
    said = {
        "code": 0,
        "reqid": "r" * 5000,
        "data": {"id": "v", "state": "S" * 5000, "demo_url": "http://a/" + "x" * 1000},
    }
    with saying(said) as server:
        told = cloning_at(account(server.http, key=f"room-{server.port}")).statuses(["v"])["v"]
    assert (told.state, len(told.raw_state), len(told.request_id), told.demo_url) == (RemoteState.WORKING, 60, 120, "")
    with saying({"code": "9" * 5000, "msg": "m" * 5000}) as server, pytest.raises(ProviderError) as caught:
        cloning_at(account(server.http, key=f"room-{server.port}")).statuses(["v"])
    assert (len(caught.value.provider_code), len(caught.value.detail)) == (120, 500)


def saying(body: object, *, status: int = 200) -> Loopback:
    """A server that answers everything the same."""

    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.answer(status, json.dumps(body))

    return Loopback(script)


def test_accounts_keep_their_keys_to_themselves(sandbox: Sandbox) -> None:
    of = account(sandbox.qiniu_http)
    assert QINIU_KEY not in repr(of)
    assert QINIU_KEY not in repr(dataclasses.replace(of, key="2"))
    assert QINIU_KEY not in repr(cloning_at(of))
