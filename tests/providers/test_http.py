from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
import requests
import urllib3

from tests.providers.loopback import Loopback, Peer, free_port
from voices.providers import http
from voices.providers.errors import (
    ConfigurationError,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    Unreachable,
)
from voices.providers.http import Answer, Content, HttpClient, multipart, translated

KEY = "sk-very-secret-1"


def client(base_url: str, *, account_key: str = "1", read_seconds: float = 5.0, max_bytes: int = 1000) -> HttpClient:
    return HttpClient(
        provider="acme",
        account_key=account_key,
        base_url=base_url,
        secrets=(KEY,),
        connect_seconds=0.5,
        read_seconds=read_seconds,
        max_bytes=max_bytes,
    )


def ask(to: HttpClient, *, effect: bool = False) -> Answer:
    return to.call("POST", "/voices", effect=effect, headers={"Authorization": f"Bearer {KEY}"}, json={"name": "小明"})


def refusal(to: HttpClient, *, effect: bool = False) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(to, effect=effect)
    assert KEY not in f"{caught.value}{caught.value!r}"
    return caught.value


def answering(status: int, body: bytes | str, **headers: str) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.answer(status, body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return script


def test_it_sends_utf8_json_with_the_headers_it_was_given() -> None:
    seen = []

    def script(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.answer(200, "{}")

    with Loopback(script) as server:
        ask(client(server.http + "/api/v1/"))
    assert seen[0].line == "POST /api/v1/voices HTTP/1.1"
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(seen[0].body) == {"name": "小明"}


@pytest.mark.parametrize("status", [200, 400, 416, 430, 500])
def test_it_hands_over_a_json_object_whatever_its_status(status: int) -> None:
    with Loopback(answering(status, '{"code": "X"}')) as server:
        assert ask(client(server.http), effect=True) == Answer(status=status, body={"code": "X"})


def test_it_reads_how_long_to_wait() -> None:
    with Loopback(answering(429, "{}", Retry_After="7")) as server:
        assert ask(client(server.http)).retry_after == 7.0


@pytest.mark.parametrize(
    ("said", "seconds"), [("99999999999", 3600.0), ("9" * 400, 3600.0), ("\u00b2", None), ("-1", None), ("soon", None)]
)
def test_it_waits_an_hour_at_most_and_not_for_what_is_no_number(said: str, seconds: float | None) -> None:
    with Loopback(lambda peer: _answer_in_latin1(peer, said)) as server:
        assert ask(client(server.http)).retry_after == seconds


def _answer_in_latin1(peer: Peer, retry_after: str) -> None:
    peer.read_request()
    peer.send(f"HTTP/1.1 429 Slower\r\nRetry-After: {retry_after}\r\nContent-Length: 2\r\n\r\n{{}}".encode("latin-1"))


def test_it_hands_over_no_text_that_a_database_would_refuse() -> None:
    body = rb'{"message": "a\u0000b\ud800c", "list": ["\udfff", {"\u0000": "\ud83d\ude00"}]}'
    with Loopback(answering(200, body)) as server:
        answer = ask(client(server.http))
    assert answer.body == {"message": "a\ufffdb\ufffdc", "list": ["\ufffd", {"\ufffd": "\U0001f600"}]}


def test_it_takes_brackets_without_end_for_an_answer_that_cannot_be_read() -> None:
    with Loopback(answering(200, b"[" * 100_000)) as server:
        assert type(refusal(client(server.http, max_bytes=200_000), effect=True)) is OutcomeUnknown


def test_it_keeps_of_an_answer_that_is_no_json_only_what_can_be_stored() -> None:
    with Loopback(answering(400, b"\x00 no \xff")) as server:
        assert "\x00" not in refusal(client(server.http)).detail


def in_chunks(peer: Peer) -> None:
    while True:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")


@pytest.mark.parametrize("script", [answering(200, "{}"), answering(400, "{}"), in_chunks])
def test_it_keeps_one_connection_for_an_account(script: Callable[[Peer], None]) -> None:
    with Loopback(script) as server:
        for _ in range(3):
            ask(client(server.http))
        assert server.connections == 1


def test_it_never_shares_a_connection_between_accounts() -> None:
    with Loopback(answering(200, "{}")) as server:
        ask(client(server.http, account_key="1"))
        ask(client(server.http, account_key="2"))
        assert server.connections == 2


def test_it_keeps_no_cookie() -> None:
    cookies = []

    def script(peer: Peer) -> None:
        while True:
            cookies.append(peer.read_request().headers.get("cookie"))
            peer.answer(200, "{}", headers={"Set-Cookie": "session=1; Path=/"})

    with Loopback(script) as server:
        ask(client(server.http))
        ask(client(server.http))
    assert cookies == [None, None]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_leaves_the_parents_connection_alone() -> None:
    with Loopback(answering(200, "{}")) as server:
        ask(client(server.http))
        child = os.fork()
        if child == 0:
            try:
                ask(client(server.http))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        ask(client(server.http))
        assert server.connections == 2


# --- what left, and what did not ---


@pytest.mark.parametrize("effect", [True, False])
def test_it_says_that_nothing_left_when_nobody_listens(effect: bool) -> None:
    error = refusal(client(f"http://127.0.0.1:{free_port()}"), effect=effect)
    assert type(error) is Unreachable
    assert error.retryable


def test_it_says_that_nothing_left_when_tls_fails() -> None:
    with Loopback(lambda peer: peer.send(b"HTTP/1.1 400 this is no TLS\r\n\r\n")) as server:
        assert type(refusal(client(server.http.replace("http", "https")), effect=True)) is Unreachable


def test_it_says_that_nothing_left_without_a_body_when_nobody_listens() -> None:
    with pytest.raises(Unreachable):
        client(f"http://127.0.0.1:{free_port()}").call("DELETE", "/voices/1", effect=True, headers={})


def silent(peer: Peer) -> None:
    peer.read_request()
    peer.wait_until_left()


def resetting(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


def hanging_up(peer: Peer) -> None:
    peer.read_request()


def half_an_answer(peer: Peer) -> None:
    peer.read_request()
    peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"output": ')


def no_http(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"\x00\x01\x02 hello\r\n\r\n")


def broken_compression(peer: Peer) -> None:
    peer.read_request()
    peer.answer(200, b"not gzip", headers={"Content-Encoding": "gzip"})


def too_long(peer: Peer) -> None:
    peer.read_request()
    peer.answer(200, "[" + "1," * 1000 + "1]")


def dripping(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(100):
        peer.send(b" ")
        if peer.left_within(0.05):
            return


def test_bytes_that_trickle_in_do_not_stretch_the_patience_with_an_answer() -> None:
    with Loopback(dripping) as server:
        assert "longer than 0.3 s" in refusal(client(server.http, read_seconds=0.3)).detail


UNREADABLE = [
    silent,
    resetting,
    hanging_up,
    half_an_answer,
    no_http,
    broken_compression,
    too_long,
    dripping,
    answering(200, "<html>hello</html>"),
    answering(200, "[1]"),
    answering(200, ""),
    answering(502, "<html>Bad Gateway</html>"),
]


@pytest.mark.parametrize("script", UNREADABLE)
def test_a_call_with_an_effect_has_an_unknown_outcome_when_its_answer_is_lost(script: Callable[[Peer], None]) -> None:
    with Loopback(script) as server:
        error = refusal(client(server.http, read_seconds=0.3), effect=True)
        assert type(error) is OutcomeUnknown
        assert not error.retryable
        assert server.connections == 1


@pytest.mark.parametrize("script", UNREADABLE)
def test_a_question_may_be_asked_again_when_its_answer_is_lost(script: Callable[[Peer], None]) -> None:
    with Loopback(script) as server:
        error = refusal(client(server.http, read_seconds=0.3))
        assert type(error) is ProviderTrouble
        assert error.retryable
        assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, CredentialsRejected),
        (403, CredentialsRejected),
        (429, RateLimited),
        (404, InvalidRequest),
        (413, InvalidRequest),
    ],
)
def test_a_refusal_without_json_is_a_clear_no(status: int, kind: type[ProviderError]) -> None:
    with Loopback(answering(status, "<html>no</html>")) as server:
        error = refusal(client(server.http), effect=True)
    assert type(error) is kind
    assert error.http_status == status
    assert "no" in error.detail


def test_it_follows_no_redirect() -> None:
    with (
        Loopback(answering(200, "{}")) as elsewhere,
        Loopback(answering(307, "", Location=elsewhere.http + "/steal")) as server,
    ):
        error = refusal(client(server.http), effect=True)
        assert elsewhere.connections == 0
    assert type(error) is InvalidRequest
    assert "redirect" in error.detail


def test_it_quotes_no_secret_and_no_link_that_an_answer_repeats() -> None:
    with Loopback(answering(400, f"bad key {KEY} for https://portal.example/samples/abc?sig=def")) as server:
        error = refusal(client(server.http))
    assert "[secret]" in error.detail
    assert "https://portal.example/…" in error.detail
    assert "abc" not in error.detail
    assert "def" not in error.detail


def test_it_quotes_no_query_of_its_own_request() -> None:
    with pytest.raises(Unreachable) as caught:
        client(f"http://127.0.0.1:{free_port()}").call(
            "GET", "/x", effect=False, headers={}, query={"signature": "abcdef"}
        )
    assert "abcdef" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "127.0.0.1/api", "http://", "ftp://127.0.0.1/"])
def test_an_address_that_is_no_url_is_a_mistake_of_the_set_up(address: str) -> None:
    with pytest.raises(ConfigurationError, match="acme"):
        ask(client(address))


def test_a_header_that_cannot_be_sent_is_a_mistake_of_the_set_up_and_not_quoted() -> None:
    with pytest.raises(ConfigurationError) as caught:
        client("http://127.0.0.1:1").call("GET", "/", effect=False, headers={"Authorization": "Bearer sk-1\nX: y"})
    assert "sk-1" not in str(caught.value)


# --- bodies to the byte ---


def test_it_sends_content_as_it_is_with_its_own_kind() -> None:
    seen = []

    def script(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.answer(200, "{}")

    data = b'{"name":"\xe5\xb0\x8f\xe6\x98\x8e"}\r\n\x00'
    with Loopback(script) as server:
        content = Content(data, "application/json")
        client(server.http).call("POST", "", effect=True, headers={"X-Sign": "abc"}, content=content)
    assert seen[0].line == "POST / HTTP/1.1"
    assert seen[0].body == data
    assert (seen[0].headers["content-type"], seen[0].headers["x-sign"]) == ("application/json", "abc")


def test_content_that_has_begun_to_leave_leaves_the_outcome_unknown() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    with Loopback(script) as server, pytest.raises(OutcomeUnknown):
        client(server.http).call("POST", "/x", effect=True, headers={}, content=Content(b"order", "text/plain"))


def test_a_form_has_its_file_first_and_then_its_fields() -> None:
    form = multipart(
        {"taskId": "7", "name": "小明"},
        name="file",
        filename="a.wav",
        data=b"\r\n--b--",
        kind="audio/wav",
        boundary="b",
    )
    assert form.kind == "multipart/form-data; boundary=b"
    assert form.data.split(b"\r\n") == [
        b"--b",
        b'Content-Disposition: form-data; name="file"; filename="a.wav"',
        b"Content-Type: audio/wav",
        b"",
        b"",
        b"--b--",
        b"--b",
        b'Content-Disposition: form-data; name="taskId"',
        b"",
        b"7",
        b"--b",
        b'Content-Disposition: form-data; name="name"',
        b"",
        "小明".encode(),
        b"--b--",
        b"",
    ]


def test_every_form_has_a_boundary_of_its_own() -> None:
    one, two = (multipart({}, name="file", filename="a.wav", data=b"", kind="audio/wav").kind for _ in range(2))
    assert one != two


# --- nothing unmapped ---


def every(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(kind for child in root.__subclasses__() for kind in every(child))]


def made(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    error.args = ("it broke",)
    return error


@pytest.mark.parametrize(
    "kind", sorted({*every(requests.RequestException), *every(urllib3.exceptions.HTTPError)}, key=str)
)
@pytest.mark.parametrize("effect", [True, False])
def test_no_exception_of_requests_passes_unmapped(kind: type[Exception], effect: bool) -> None:
    with (
        pytest.raises((ProviderError, ConfigurationError)) as caught,
        translated(provider="acme", effect=effect, left=lambda error: True, redact=str),
    ):
        raise made(kind)
    if isinstance(caught.value, ProviderError):
        assert type(caught.value) is (OutcomeUnknown if effect else ProviderTrouble)
        assert kind.__name__ in caught.value.detail


def test_closing_the_connections_closes_them() -> None:
    with Loopback(answering(200, "{}")) as server:
        ask(client(server.http))
        http.close_connections()
        ask(client(server.http))
        assert server.connections == 2


# --- files behind links --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "allowed"),
    [
        ("http://127.0.0.1:{port}/a.wav", True),
        ("http://127.0.0.1.example.com:{port}/a.wav", False),
        ("http://localhost:{port}/a.wav", False),
        ("http://127.0.0.1@localhost:{port}/a.wav", False),
        ("https://evil127.0.0.1:{port}/a.wav", False),
        ("ftp://127.0.0.1:{port}/a.wav", False),
        ("//127.0.0.1:{port}/a.wav", False),
        ("http://[::1/a.wav", False),
        ("", False),
    ],
)
def test_it_downloads_from_allowed_hosts_only(link: str, allowed: bool) -> None:
    def script(peer: Peer) -> None:
        request = peer.read_request()
        assert "authorization" not in request.headers
        peer.answer(200, b"sound")

    with Loopback(script) as server:
        address = link.replace("{port}", str(server.port))
        if allowed:
            assert client(server.http).download(address, hosts=["127.0.0.1"], max_bytes=5) == b"sound"
        else:
            with pytest.raises(Refused):
                client(server.http).download(address, hosts=["127.0.0.1"], max_bytes=5)
            assert server.connections == 0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(404, b"", Refused), (302, b"", Refused), (503, b"", ProviderTrouble), (200, b"123456", ProviderTrouble)],
)
def test_a_link_that_does_not_work_is_told(status: int, body: bytes, kind: type[ProviderError]) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(status, body)

    with Loopback(script) as server:
        with pytest.raises(kind) as caught:
            client(server.http).download(f"{server.http}/a.wav?signature=abc", hosts=["127.0.0.1"], max_bytes=5)
        assert type(caught.value) is kind
        assert "signature" not in str(caught.value)
