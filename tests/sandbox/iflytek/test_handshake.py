"""Before the upgrade: who signed, when, for which host and path."""

from __future__ import annotations

import base64
import email.utils
import json
import time
from datetime import datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import websocket

from voiceclone_site.sandbox.remote import Sandbox

from .wire import OWNER, STRANGER, Answer, authorization, md5, message, refused, signed, spoken, talk

# The known answers of the protocol notes, for account 1, path /v1/private/voice_clone.
VECTOR_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
VECTORS = {
    "cn-huabei-1.xf-yun.com": "/aV7AGcd3UCnCR89EXXY5Q834jOn4FjbJ7xxfXdgCOE=",
    "127.0.0.1:8765": "aNqkYsu6cny0T++7C34GmH/71rXd2DQQ+zM0vfJsnFk=",
}
NO_DATE = "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication"


def _said(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return answer.status, str(json.loads(answer.text)["message"])


def _opens(url: str) -> bool:
    websocket.create_connection(url, timeout=10).close()
    return True


def test_it_opens_for_a_signed_address(sandbox: Sandbox) -> None:
    with talk(sandbox.iflytek_clone), talk(sandbox.iflytek_tts, STRANGER):
        pass
    assert [entry.status for entry in sandbox.ledger.calls("ifly:handshake")] == [101, 101]


@pytest.mark.parametrize("host", VECTORS)
def test_it_knows_the_notes_signatures(sandbox: Sandbox, host: str) -> None:
    moment = email.utils.parsedate_to_datetime(VECTOR_DATE).timestamp()
    sandbox.configure(iflytek={"hosts": [host], "clock_shift": moment - time.time()})
    known = authorization(OWNER.api_key, VECTORS[host])
    url = signed(sandbox.iflytek_clone, at=moment, host=host)
    assert parse_qs(urlsplit(url).query)["authorization"] == [known]
    assert _opens(url)


def test_it_accepts_the_host_without_its_port(sandbox: Sandbox) -> None:
    assert _opens(signed(sandbox.iflytek_clone, host="127.0.0.1"))


def test_it_accepts_items_without_spaces(sandbox: Sandbox) -> None:
    url = signed(sandbox.iflytek_clone)
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    plain = base64.b64decode(query["authorization"]).decode().replace(", ", ",")
    query["authorization"] = base64.b64encode(plain.encode()).decode()
    assert _opens(f"{sandbox.iflytek_clone}?{urlencode(query)}")


def test_it_refuses_an_address_that_is_not_signed(sandbox: Sandbox) -> None:
    assert _said(refused(sandbox.iflytek_clone)) == (401, "Unauthorized")
    assert _said(refused(signed(sandbox.iflytek_tts, authorization=None))) == (401, "Unauthorized")


@pytest.mark.parametrize("given", ["%%%", "bm90aGluZw==", authorization("x" * 32, "c2lnbmF0dXJl")])
def test_it_refuses_what_it_cannot_verify(sandbox: Sandbox, given: str) -> None:
    answer = refused(signed(sandbox.iflytek_clone, authorization=given))
    assert _said(answer) == (401, "HMAC signature cannot be verified")


def test_it_refuses_a_wrong_secret_host_or_path(sandbox: Sandbox) -> None:
    mismatch = (401, "HMAC signature does not match")
    forged = type(OWNER)(name="", app_id=OWNER.app_id, api_key=OWNER.api_key, api_secret="x" * 32)
    assert _said(refused(signed(sandbox.iflytek_clone, forged))) == mismatch
    assert _said(refused(signed(sandbox.iflytek_clone, host="cn-huabei-1.xf-yun.com"))) == mismatch
    assert _said(refused(signed(sandbox.iflytek_clone, host=f"127.0.0.1:{sandbox.port + 1}"))) == mismatch
    other_path = signed(sandbox.iflytek_tts).replace("mcd9m97e6", "voice_clone")
    assert _said(refused(other_path)) == mismatch


@pytest.mark.parametrize("late", [-310, 310, -3600])
def test_it_refuses_a_clock_that_is_off(sandbox: Sandbox, late: float) -> None:
    answer = refused(signed(sandbox.iflytek_clone, at=time.time() + late))
    assert _said(answer) == (403, NO_DATE)
    here = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert here == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize("late", [-290, 290])
def test_it_allows_five_minutes(sandbox: Sandbox, late: float) -> None:
    assert _opens(signed(sandbox.iflytek_clone, at=time.time() + late))


@pytest.mark.parametrize("date", [None, "", "yesterday", str(datetime(2026, 1, 1))])  # noqa: DTZ001  no date for HTTP
def test_it_wants_a_date(sandbox: Sandbox, date: str | None) -> None:
    assert _said(refused(signed(sandbox.iflytek_clone, date=date)))[0] == 403


def test_it_can_live_ten_minutes_ahead(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"clock_shift": 600})
    answer = refused(signed(sandbox.iflytek_clone))
    assert answer.status == 403
    theirs = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert theirs == pytest.approx(time.time() + 600, abs=5)
    assert _opens(signed(sandbox.iflytek_clone, at=theirs))


def test_it_knows_no_other_service(sandbox: Sandbox) -> None:
    assert refused(signed(sandbox.iflytek_tts.replace("mcd9m97e6", "medd90fec"))).status == 404


def test_it_keeps_the_signature_out_of_the_ledger(sandbox: Sandbox) -> None:
    spoken(sandbox.iflytek_tts, message())
    written = json.dumps(sandbox.ask("GET", "/ledger"))
    (entry,) = sandbox.ledger.calls("ifly:handshake")
    assert entry.body["authorization"] == "[redacted]"
    assert OWNER.api_key not in written
    assert OWNER.api_secret not in written
    assert md5(OWNER.api_key) not in written


@pytest.mark.parametrize("status", [401, 403, 404, 503])
def test_it_fails_a_handshake_on_demand(sandbox: Sandbox, status: int) -> None:
    sandbox.fail(operation="ifly:handshake", how="error", status=status, message="licc limit")
    assert _said(refused(signed(sandbox.iflytek_tts))) == (status, "licc limit")
    assert _opens(signed(sandbox.iflytek_tts))
