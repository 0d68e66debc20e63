"""The token service: its signature in three strictnesses, its fields, its refusals."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from voiceclone_site.sandbox.remote import Sandbox

from .wire import OWNER, STRANGER, ask_token, call, md5, post, token, token_body

# The known answer of the protocol notes, for account 1.
VECTOR = b'{"base":{"appid":"a1b2c3d4","version":"v1","timestamp":"1767225600000"},"model":"remote"}'
VECTOR_SIGN = "8682653123150ef155d9c5fd8320dc69"


def test_it_gives_a_token_for_two_hours(sandbox: Sandbox) -> None:
    answer = ask_token(sandbox, token_body())
    assert (answer.status, answer.json["retcode"], answer.json["expiresin"]) == (200, "000000", "7200")
    assert answer.json["accesstoken"] != token(sandbox)


@pytest.mark.parametrize("mode", ["strict", "sdk"])
def test_it_knows_the_notes_signature(sandbox: Sandbox, mode: str) -> None:
    sandbox.configure(iflytek={"signature": mode})
    assert ask_token(sandbox, VECTOR, sign=VECTOR_SIGN).json["retcode"] == "000000"


@pytest.mark.parametrize(("mode", "retcode"), [("strict", "000007"), ("sdk", "000000"), ("off", "000000")])
def test_it_accepts_the_sdks_spacing_unless_strict(sandbox: Sandbox, mode: str, retcode: str) -> None:
    sandbox.configure(iflytek={"signature": mode})
    body = token_body()
    spaced = md5(md5(OWNER.api_key + body["base"]["timestamp"]) + json.dumps(body))
    assert ask_token(sandbox, body, sign=spaced).json["retcode"] == retcode


@pytest.mark.parametrize(
    ("changes", "retcode"),
    [
        ({"appid": None}, "000004"),
        ({"appid": ""}, "000004"),
        ({"version": None}, "000004"),
        ({"timestamp": None}, "000004"),
        ({"timestamp": 1767225600000}, "000006"),
        ({"timestamp": "1767225600"}, "000006"),
        ({"version": "v2"}, "000006"),
        ({"appid": "ffffffff"}, "000007"),
    ],
)
def test_it_checks_every_field(sandbox: Sandbox, changes: dict[str, Any], retcode: str) -> None:
    answer = ask_token(sandbox, token_body(**changes))
    assert (answer.status, answer.json["retcode"]) == (200, retcode)
    assert "accesstoken" not in answer.json


@pytest.mark.parametrize(
    ("body", "retcode"),
    [
        (b"no json", "000006"),
        (b"[]", "000006"),
        (b"{}", "000004"),
        ({**token_body(), "model": None}, "000004"),
        ({**token_body(), "model": "local"}, "000006"),
    ],
)
def test_it_checks_the_envelope(sandbox: Sandbox, body: object, retcode: str) -> None:
    assert ask_token(sandbox, body).json["retcode"] == retcode


def test_it_refuses_a_wrong_key(sandbox: Sandbox) -> None:
    body = token_body(OWNER)
    assert ask_token(sandbox, body, account=STRANGER).json["retcode"] == "000007"
    assert ask_token(sandbox, body, sign="0" * 32).json["retcode"] == "000007"


def test_it_wants_the_right_shape_even_with_signatures_off(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"signature": "off"})
    assert ask_token(sandbox, token_body(), sign="0" * 32).json["retcode"] == "000000"
    assert ask_token(sandbox, token_body(), sign="Z" * 32).json["retcode"] == "000007"


def test_it_takes_post_only(sandbox: Sandbox) -> None:
    assert post(sandbox, "/aiauth/v1/token", b"", {}, method="GET").status == 405


def test_it_ends_a_token_after_its_time_or_its_calls(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"token_seconds": 0})
    assert call(sandbox, "task/traintext", {"textId": 5001}).code == 10000
    sandbox.configure(iflytek={"token_seconds": 7200, "token_calls": 2})
    worn = token(sandbox)
    codes = [call(sandbox, "task/traintext", {"textId": 5001}, with_token=worn).code for _ in range(3)]
    assert codes == [0, 0, 10000]


def test_it_keeps_secrets_out_of_the_ledger(sandbox: Sandbox) -> None:
    known = token(sandbox)
    call(sandbox, "task/traintext", {"textId": 5001}, with_token=known)
    written = json.dumps(sandbox.ask("GET", "/ledger"))
    assert known not in written
    assert OWNER.api_key not in written
    assert [entry.account for entry in sandbox.ledger.calls("ifly:token")] == ["iflytek-1"]
    assert sandbox.ledger.answers("ifly:token")[0].body["accesstoken"] == "[redacted]"


def test_it_answers_when_it_is_the_proxy_and_passes_nothing_on(sandbox: Sandbox) -> None:
    body = json.dumps(token_body()).encode()
    sign = md5(md5(OWNER.api_key + json.loads(body)["base"]["timestamp"]).encode() + body)
    headers = {"Content-Type": "application/json", "Authorization": sign}
    here = post(sandbox, "http://avatar-hci.xfyousheng.com/aiauth/v1/token", body, headers)
    assert here.json["retcode"] == "000000"
    assert post(sandbox, "http://example.com/aiauth/v1/token", body, headers).status == 403
    assert post(sandbox, "http://opentrain.xfyousheng.com/elsewhere", body, headers).status == 404


def test_its_md5_is_the_documented_one() -> None:
    key = hashlib.md5(("k" * 32 + "1767225600000").encode(), usedforsecurity=False).hexdigest()
    assert key == "f24e479459ee694ba30dd36e8419d7e6"
    assert md5(key.encode() + VECTOR) == VECTOR_SIGN
