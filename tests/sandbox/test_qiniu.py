"""Qiniu's side of the sandbox, asked by a bare HTTP client: protocol notes, section 11."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.listening import listen
from tests.recordings import MAN, WOMAN, recording, silence
from tests.sample_server import Answer, SampleServer
from tests.sandbox_server import OTHER_QINIU_KEY, QINIU_ACCOUNT, QINIU_KEY
from voiceclone_site.sandbox import qiniu
from voiceclone_site.sandbox.options import for_tests
from voiceclone_site.sandbox.remote import Sandbox
from voiceclone_site.sandbox.running import running

CLONES = "/v1/voice-clones"
JSON = "application/json"


@dataclass(frozen=True)
class Told:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found

    @property
    def code(self) -> object:
        return self.body["code"]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["data"]
        return found


def ask(
    sandbox: Sandbox,
    method: str,
    path: str,
    body: object = None,
    *,
    key: str = f"Bearer {QINIU_KEY}",
    content_type: str = JSON,
) -> Told:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=30)
    sent = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    headers = {"Authorization": key} | ({"Content-Type": content_type} if sent is not None else {})
    try:
        connection.request(method, path, body=sent, headers=headers)
        answer = connection.getresponse()
        return Told(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def create(sandbox: Sandbox, **body: object) -> dict[str, Any]:
    return ask(sandbox, "POST", CLONES, {"model_id": "QN_ACV"} | body).data


def train(sandbox: Sandbox, clone_id: str, url: str, *, name: str = "小明") -> Told:
    return ask(sandbox, "PUT", f"{CLONES}/{clone_id}", {"key": url, "name": name})


def get(sandbox: Sandbox, clone_id: str) -> dict[str, Any]:
    return ask(sandbox, "GET", f"{CLONES}/{clone_id}").data


@pytest.fixture(params=["body", "mirror"])
def transport(request: pytest.FixtureRequest, sandbox: Sandbox) -> str:
    sandbox.configure(qiniu_transport=request.param)
    told: str = request.param
    return told


def refused(told: Told, code: int, transport: str) -> bool:
    assert told.body["msg"]
    assert told.body["reqid"]
    return told.code == code and told.status == (code if transport == "mirror" else 200)


# --- who asks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["", "Bearer", "Bearer wrong", f"bearer {QINIU_KEY}", f"Bearer  {QINIU_KEY}", QINIU_KEY]
)
def test_it_refuses_a_wrong_key_before_anything_else(sandbox: Sandbox, transport: str, key: str) -> None:
    for method, path in (("GET", CLONES), ("GET", f"{CLONES}/nobody"), ("POST", CLONES), ("DELETE", f"{CLONES}/x")):
        assert refused(ask(sandbox, method, path, key=key), 401, transport)


def test_one_account_does_not_see_the_other(sandbox: Sandbox, transport: str) -> None:
    mine = create(sandbox)["id"]
    others = f"Bearer {OTHER_QINIU_KEY}"
    assert ask(sandbox, "GET", CLONES, key=others).data == {"voices": []}
    assert refused(ask(sandbox, "GET", f"{CLONES}/{mine}", key=others), 404, transport)
    assert refused(ask(sandbox, "DELETE", f"{CLONES}/{mine}", key=others), 404, transport)


def test_it_writes_no_key_into_its_ledger(sandbox: Sandbox) -> None:
    create(sandbox)
    assert QINIU_KEY not in json.dumps(sandbox.ask("GET", "/ledger"))
    (entry,) = sandbox.ledger.calls("create_clone", QINIU_ACCOUNT)
    assert entry.body == {"model_id": "QN_ACV"}


# --- places --------------------------------------------------------------------------------------------------------------


def test_it_makes_a_place_in_the_dialect_of_today(sandbox: Sandbox) -> None:
    told = ask(sandbox, "POST", CLONES, {"language": "en"})
    assert "msg" not in told.body
    assert told.data == {
        "id": told.data["id"],
        "name": f"复刻音色-{told.data['id'][-5:]}",
        "language": "en",
        "demo_url": "",
        "state": "Init",
        "tier": "free",
    }


def test_it_makes_a_place_in_the_older_dialect(sandbox: Sandbox) -> None:
    sandbox.configure(qiniu_dialect="legacy")
    told = ask(sandbox, "POST", CLONES, {"model_id": "QN_ACV"})
    assert told.body["msg"] == ""
    assert set(told.data) == {"id", "name", "language", "demo_url", "state"}
    assert told.data["language"] == ""


def test_the_older_dialect_wants_its_model(sandbox: Sandbox, transport: str) -> None:
    sandbox.configure(qiniu_dialect="legacy")
    assert refused(ask(sandbox, "POST", CLONES, {}), 400, transport)
    assert refused(ask(sandbox, "POST", CLONES, {"model_id": "QN_XYZ"}), 400, transport)


@pytest.mark.parametrize(
    "body",
    [{"tier": "lite"}, {"language": "ja"}, {"language": "tlh", "tier": "pro"}, {"language": 5}, [], "x", b"{half", b""],
)
def test_it_refuses_what_no_place_can_be(sandbox: Sandbox, transport: str, body: object) -> None:
    assert refused(ask(sandbox, "POST", CLONES, body), 400, transport)
    assert sandbox.qiniu_voices() == []


def test_a_paid_place_knows_more_languages(sandbox: Sandbox) -> None:
    told = create(sandbox, language="ja", tier="pro")
    assert (told["language"], told["tier"]) == ("ja", "pro")


def test_it_refuses_a_body_that_is_not_declared_as_json(sandbox: Sandbox, transport: str) -> None:
    assert refused(ask(sandbox, "POST", CLONES, {}, content_type="text/plain"), 400, transport)


# --- training ------------------------------------------------------------------------------------------------------------


def test_it_trains_and_then_has_a_demo_in_that_voice(sandbox: Sandbox, samples: SampleServer) -> None:
    clone_id = create(sandbox)["id"]
    told = train(sandbox, clone_id, samples.url(recording(WOMAN)), name="小红")
    assert (told.data["state"], told.data["name"], told.data["demo_url"]) == ("Training", "小红", "")

    trained = get(sandbox, clone_id)

    assert trained["state"] == "Success"
    path = trained["demo_url"].removeprefix(sandbox.origin)
    demo = ask(sandbox, "GET", path, key="")
    assert demo.headers["Content-Type"] == "audio/wav"
    heard = listen(demo.raw)
    assert heard.duration > 2
    assert heard.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.1)


def test_a_demo_link_dies_with_the_training_it_came_from(sandbox: Sandbox, samples: SampleServer) -> None:
    clone_id = create(sandbox)["id"]
    train(sandbox, clone_id, samples.url(recording(WOMAN)))
    first = get(sandbox, clone_id)["demo_url"].removeprefix(sandbox.origin)
    assert train(sandbox, clone_id, samples.url(recording(MAN))).data["demo_url"].endswith(first)
    second = get(sandbox, clone_id)["demo_url"].removeprefix(sandbox.origin)
    assert first != second
    assert ask(sandbox, "GET", first).status == 404
    assert ask(sandbox, "GET", second).status == 200


def test_it_takes_its_time_to_train(sandbox: Sandbox, samples: SampleServer, transport: str) -> None:
    sandbox.configure(train_seconds=3600)
    clone_id, url = create(sandbox)["id"], samples.url(recording())
    train(sandbox, clone_id, url)
    assert get(sandbox, clone_id)["state"] == "Training"
    assert refused(train(sandbox, clone_id, url), 400, transport)
    sandbox.set_qiniu_state(clone_id, "Success")
    assert get(sandbox, clone_id)["demo_url"]


@pytest.mark.parametrize("audio", [silence(), b"not a sound", recording(format="mp3")])
def test_it_fails_what_nothing_can_be_learnt_from(sandbox: Sandbox, samples: SampleServer, audio: bytes) -> None:
    clone_id = create(sandbox)["id"]
    assert train(sandbox, clone_id, samples.url(audio)).data["state"] == "Training"
    assert get(sandbox, clone_id)["state"] == "Failed"
    train(sandbox, clone_id, samples.url(recording()))
    assert get(sandbox, clone_id)["state"] == "Success"


def test_it_fails_a_recording_that_cannot_be_fetched(sandbox: Sandbox, samples: SampleServer, transport: str) -> None:
    clone_id = create(sandbox)["id"]
    missing = samples.url_of(Answer(status=404))
    train(sandbox, clone_id, missing)
    assert get(sandbox, clone_id)["state"] == "Failed"
    sandbox.configure(qiniu_unfetched="refused")
    assert refused(train(sandbox, clone_id, missing), 400, transport)
    assert get(sandbox, clone_id)["state"] == "Failed"


def test_it_fetches_from_this_machine_only(sandbox: Sandbox) -> None:
    clone_id = create(sandbox)["id"]
    train(sandbox, clone_id, "https://example.com/audio.wav")
    (fetch,) = sandbox.ledger.entries(operation="fetch")
    assert "this machine" in fetch.body["trouble"]
    assert get(sandbox, clone_id)["state"] == "Failed"


@pytest.mark.parametrize("body", [{"name": "新名字"}, {"key": "", "name": "新名字"}])
def test_it_renames_without_training(sandbox: Sandbox, body: dict[str, str]) -> None:
    clone_id = create(sandbox)["id"]
    told = ask(sandbox, "PUT", f"{CLONES}/{clone_id}", body)
    assert (told.data["name"], told.data["state"]) == ("新名字", "Init")
    assert sandbox.ledger.calls("train_clone") == []
    assert len(sandbox.ledger.calls("rename_clone")) == 1


def test_it_counts_code_points_of_a_name(sandbox: Sandbox, transport: str) -> None:
    path = f"{CLONES}/{create(sandbox)['id']}"
    assert ask(sandbox, "PUT", path, {"name": "字" * 20}).code == 0
    assert refused(ask(sandbox, "PUT", path, {"name": "字" * 21}), 400, transport)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": 5},
        {"key": "https://example.com/a.wav"},
        {"key": "a.wav", "name": "n"},
        {"key": "ftp://example.com/a.wav", "name": "n"},
        {"key": 5, "name": "n"},
        {"key": None, "name": "n"},
    ],
)
def test_it_refuses_a_put_that_says_nothing_sound(sandbox: Sandbox, transport: str, body: object) -> None:
    clone_id = create(sandbox)["id"]
    assert refused(ask(sandbox, "PUT", f"{CLONES}/{clone_id}", body), 400, transport)
    assert get(sandbox, clone_id)["state"] == "Init"


def test_an_unknown_id_is_not_found(sandbox: Sandbox, transport: str) -> None:
    path = f"{CLONES}/{quote('没有/这个', safe='')}"
    assert refused(ask(sandbox, "GET", path), 404, transport)
    assert refused(ask(sandbox, "PUT", path, {"name": "n"}), 404, transport)
    assert refused(ask(sandbox, "DELETE", path), 404, transport)


# --- deleting and paying -------------------------------------------------------------------------------------------------


def test_it_deletes_a_free_place_and_keeps_a_paid_one(sandbox: Sandbox, transport: str) -> None:
    free, paid = create(sandbox)["id"], create(sandbox, tier="pro")["id"]
    told = ask(sandbox, "DELETE", f"{CLONES}/{free}")
    assert (told.code, told.data) == (0, {})
    assert refused(ask(sandbox, "DELETE", f"{CLONES}/{free}"), 404, transport)
    assert refused(ask(sandbox, "DELETE", f"{CLONES}/{paid}"), 403, transport)
    assert [voice["id"] for voice in ask(sandbox, "GET", CLONES).data["voices"]] == [paid]


def test_a_paid_training_uses_the_quota_and_ends_with_it(
    sandbox: Sandbox, samples: SampleServer, transport: str
) -> None:
    sandbox.configure(qiniu_paid_trainings=1)
    url = samples.url(recording())
    paid = [create(sandbox, tier="pro")["id"] for _ in range(2)]
    assert train(sandbox, paid[0], url).code == 0
    assert ask(sandbox, "PUT", f"{CLONES}/{paid[0]}", {"name": "n"}).code == 0
    assert refused(train(sandbox, paid[1], url), 400, transport)
    told = ask(sandbox, "GET", "/v1/quotas?resource_type=1&limit=100")
    assert "reqid" not in told.body
    active = [row for row in told.data["quotas"] if row["id"] == "quota-2"]
    assert (active[0]["usage_count"], active[0]["total_count"]) == (1, 1)


def test_it_pages_through_quotas(sandbox: Sandbox, transport: str) -> None:
    first = ask(sandbox, "GET", "/v1/quotas?resource_type=1&limit=1").data
    second = ask(sandbox, "GET", f"/v1/quotas?resource_type=1&limit=1&cursor={first['next_cursor']}").data
    assert [row["id"] for row in (*first["quotas"], *second["quotas"])] == ["quota-1", "quota-2"]
    assert second["next_cursor"] == ""
    for wrong in ("", "?resource_type=9", "?resource_type=1&limit=101", "?resource_type=1&limit=0"):
        assert refused(ask(sandbox, "GET", f"/v1/quotas{wrong}"), 400, transport)


# --- what goes wrong on demand -------------------------------------------------------------------------------------------


def test_it_can_lose_an_answer_and_keep_the_effect(sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_clone", how="reset", at="after")
    with pytest.raises(ConnectionError):
        create(sandbox)
    assert [voice["id"] for voice in sandbox.qiniu_voices()] == sandbox.ledger.created(QINIU_ACCOUNT)


def test_it_can_delete_and_say_that_it_failed(sandbox: Sandbox, transport: str) -> None:
    clone_id = create(sandbox)["id"]
    sandbox.fail(operation="delete_clone", how="error", at="after", status=500)
    assert refused(ask(sandbox, "DELETE", f"{CLONES}/{clone_id}"), 500, transport)
    assert sandbox.qiniu_voices() == []


def test_it_can_say_how_long_to_wait(sandbox: Sandbox, transport: str) -> None:
    sandbox.fail(operation="list_clones", how="error", status=429)
    told = ask(sandbox, "GET", CLONES)
    assert refused(told, 429, transport)
    assert told.headers["Retry-After"] == "2"


def test_it_can_speak_oddly(sandbox: Sandbox) -> None:
    path = f"{CLONES}/{create(sandbox)['id']}"
    sandbox.fail(operation="get_clone", how="string_code")
    assert ask(sandbox, "GET", path).code == "0"
    sandbox.fail(operation="get_clone", how="no_data")
    assert "data" not in ask(sandbox, "GET", path).body
    sandbox.fail(operation="get_clone", how="unknown_state")
    assert ask(sandbox, "GET", path).data["state"] == "Polishing"
    sandbox.fail(operation="get_clone", how="html", status=502)
    told = ask(sandbox, "GET", path)
    assert (told.status, told.raw[:6]) == (502, b"<html>")


# --- a life of its own ---------------------------------------------------------------------------------------------------


def test_it_loses_nothing_when_it_is_started_again(tmp_path: Path, samples: SampleServer) -> None:
    with running(for_tests(tmp_path)) as first:
        ready, training = create(first)["id"], create(first)["id"]
        train(first, ready, samples.url(recording(WOMAN)), name="小红")
        get(first, ready)
        first.configure(train_seconds=0.5)
        train(first, training, samples.url(recording(MAN)))
    with running(for_tests(tmp_path)) as second:
        assert get(second, ready)["state"] == "Success"
        assert get(second, ready)["name"] == "小红"
        assert get(second, training)["state"] in ("Training", "Success")
        assert len(second.ledger.created(QINIU_ACCOUNT)) == 2


def test_its_banner_tells_what_to_set(sandbox: Sandbox, tmp_path: Path) -> None:
    told = qiniu.banner(sandbox.origin, for_tests(tmp_path))
    assert told[0] == f"QINIU_BASE_URL={sandbox.qiniu_http}"
    assert any(QINIU_KEY in line for line in told)
