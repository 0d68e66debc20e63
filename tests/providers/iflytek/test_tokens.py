"""The access token: fetched once, renewed in time, and once more when it is refused."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

import pytest

from tests.providers.iflytek.office import (
    ADD,
    API_KEY,
    APP_ID,
    OK,
    RESULT,
    SUBMIT,
    TOKEN,
    UPLOAD,
    Office,
    cloning,
    office,
    order,
    refused,
    token,
    trained,
)
from tests.providers.loopback import Loopback
from voices.providers.errors import CredentialsRejected, InvalidRequest, ProviderError, ProviderTrouble, Refused
from voices.providers.http import HttpClient
from voices.providers.iflytek.auth import Credentials, Tokens


class Clock:
    now = 1767225600.0

    def __call__(self) -> float:
        return self.now


def tokens(server: Loopback, clock: Clock | None = None, *, account_key: str = "1", api_key: str = API_KEY) -> Tokens:
    known = Credentials(app_id=APP_ID, api_key=api_key, api_secret="s")
    client = HttpClient(
        provider="iflytek", account_key=account_key, base_url=f"{server.http}{TOKEN}", secrets=(api_key,)
    )
    return Tokens(client=client, credentials=known, clock=clock or Clock())


def test_it_signs_the_very_bytes_that_it_sends() -> None:
    desk = office()
    with Loopback(desk) as server:
        assert tokens(server).current() == "token-1"
    (request,) = desk.asked
    assert json.loads(request.body) == {
        "base": {"appid": APP_ID, "version": "v1", "timestamp": "1767225600000"},
        "model": "remote",
    }
    key_sign = hashlib.md5(f"{API_KEY}1767225600000".encode()).hexdigest()  # noqa: S324
    assert request.headers["authorization"] == hashlib.md5(key_sign.encode() + request.body).hexdigest()  # noqa: S324
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("expires", "good_for"),
    [
        ("7200", 5400),
        (7200, 5400),
        ("600", 450),
        (None, 5400),
        ("soon", 5400),
        ("0", 5400),
        ("-9", 5400),
        (9 * 10**17, 5400),
    ],
)
def test_it_renews_a_token_well_before_its_end(expires: object, good_for: int) -> None:
    desk = office({TOKEN: [token("token-1", expires), token("token-2", expires)]})
    clock = Clock()
    with Loopback(desk) as server:
        assert tokens(server, clock).current() == "token-1"
        clock.now += good_for - 1
        assert tokens(server, clock).current() == "token-1"
        clock.now += 2
        assert tokens(server, clock).current() == "token-2"
    assert len(desk.asked) == 2


def test_it_fetches_one_token_for_many_threads() -> None:
    desk = office()
    with Loopback(desk) as server:
        shared = tokens(server)
        threads = [threading.Thread(target=shared.current) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(desk.asked) == 1


def test_a_refused_token_is_replaced_once_however_many_hold_it() -> None:
    desk = office({TOKEN: [token("token-1"), token("token-2"), token("token-3")]})
    with Loopback(desk) as server:
        shared = tokens(server)
        held = shared.current()
        assert shared.renewed(held) == "token-2"
        assert shared.renewed(held) == "token-2"
    assert len(desk.asked) == 2


@pytest.mark.parametrize(("account_key", "api_key"), [("2", API_KEY), ("1", "m" * 32)])
def test_accounts_and_changed_credentials_share_no_token(account_key: str, api_key: str) -> None:
    desk = office({TOKEN: [token("token-1"), token("token-2")]})
    with Loopback(desk) as server:
        assert tokens(server).current() == "token-1"
        assert tokens(server, account_key=account_key, api_key=api_key).current() == "token-2"


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        ({"retcode": "000004"}, InvalidRequest, False),
        ({"retcode": "000006"}, InvalidRequest, False),
        ({"retcode": "000007"}, CredentialsRejected, False),
        ({"retcode": "999999"}, ProviderTrouble, True),
        ({"retcode": "123456"}, ProviderTrouble, True),
        ({"retcode": "000000"}, ProviderTrouble, True),
        ({"retcode": "000000", "accesstoken": ""}, ProviderTrouble, True),
        ({"retcode": "000000", "accesstoken": 7}, ProviderTrouble, True),
        ({"retcode": "000000", "accesstoken": "two words\r\n"}, ProviderTrouble, True),
        ({"retcode": "000000", "accesstoken": "t" * 5000}, ProviderTrouble, True),
        ({"retcode": ["000000"]}, ProviderTrouble, True),
        ((404, {}), Refused, False),
        ((502, b"<html>"), ProviderTrouble, True),
        (b"[]", ProviderTrouble, True),
        (None, ProviderTrouble, True),
    ],
)
def test_every_other_answer_is_a_typed_error(answer: Any, kind: type[ProviderError], retryable: bool) -> None:
    with Loopback(office({TOKEN: answer})) as server, pytest.raises(ProviderError) as caught:
        tokens(server).current()
    assert (type(caught.value), caught.value.retryable) == (kind, retryable)


def test_a_failure_is_not_kept() -> None:
    with Loopback(office({TOKEN: [{"retcode": "999999"}, token("token-2")]})) as server:
        with pytest.raises(ProviderTrouble):
            tokens(server).current()
        assert tokens(server).current() == "token-2"


def test_no_error_repeats_the_key() -> None:
    answer = {"retcode": "000007", "desc": f"bad key {API_KEY}"}
    with Loopback(office({TOKEN: answer})) as server, pytest.raises(CredentialsRejected) as caught:
        tokens(server).current()
    assert API_KEY not in str(caught.value)


# --- a token that the training service refuses ---


def with_answers(of: str, *answers: Any) -> Office:
    return office({TOKEN: [token("token-1"), token("token-2"), token("token-3")], of: list(answers)})


def test_an_expired_token_is_renewed_and_the_call_repeated_once() -> None:
    desk = with_answers(UPLOAD, refused(10000, "token过期"), OK)
    with Loopback(desk) as server:
        cloning(server).train("1234567", order())
    assert [request.headers["x-token"] for request in desk.calls(UPLOAD)] == ["token-1", "token-2"]
    first, second = desk.calls(UPLOAD)
    assert first.body == second.body


def test_a_fresh_token_that_is_refused_too_is_not_renewed_again() -> None:
    desk = with_answers(RESULT, refused(10000), refused(10000), trained(1))
    with Loopback(desk) as server, pytest.raises(ProviderTrouble) as caught:
        cloning(server).statuses(["1234567"])
    assert caught.value.provider_code == "10000"
    assert caught.value.retryable
    assert len(desk.calls(RESULT)) == 2
    assert len(desk.calls(TOKEN)) == 2


def test_a_token_serves_many_calls() -> None:
    desk = office()
    with Loopback(desk) as server:
        cloning(server).create(order())
        cloning(server).train("1234567", order())
        cloning(server).statuses(["1234567"])
    assert len(desk.calls(TOKEN)) == 1
    assert desk.calls(SUBMIT) == []
    assert len(desk.calls(ADD)) == len(desk.calls(UPLOAD)) == 1
