"""Both drivers of a provider's speech, held to the same: what they do on the wire, and what they make of what comes in."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.providers.drivers import Driver
from tests.providers.loopback import BINARY, CLOSE, PING, PONG, TEXT, Loopback, Peer, free_port
from voices.providers import ws
from voices.providers.base import Audio, Done, Event, Send, SpeechConnection, SpeechRequest
from voices.providers.driving import MAX_MESSAGE_BYTES, Spoken
from voices.providers.errors import (
    ConfigurationError,
    CredentialsRejected,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    SlotsExhausted,
    StreamBroken,
    Unreachable,
)

REQUEST = SpeechRequest(remote_id="v", model="m", text="hello", audio_format="pcm", sample_rate=24000)


class Parrot:
    """A protocol as small as can be: say the text, hear audio, `done` or `fail`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._heard = False

    @property
    def request_id(self) -> str:
        return f"task of {self._text}"

    def open(self) -> Iterator[Send]:
        yield Send(self._text)

    def receive(self, frame: str | bytes) -> Iterator[Event]:
        if isinstance(frame, bytes):
            self._heard = True
            yield Audio(frame)
        elif frame == "more":
            yield Send("more text")
            yield Send(b"more bytes")
        elif frame == "fail":
            raise RateLimited("slow down", provider="parrot")
        elif frame == "done":
            yield Done(characters=5, request_id="r-1")

    def connection_lost(self, reason: str) -> ProviderError:
        return StreamBroken(reason, provider="parrot", retryable=not self._heard)


@dataclass
class ParrotSpeech:
    url: str
    account_key: str = "1"
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": "Bearer sk-1"})
    reuse_seconds: float = 30.0
    open_timeout: float = 5.0
    frame_timeout: float = 5.0
    sound_timeout: float = 5.0
    refused: ProviderError | None = None
    asked: list[tuple[int, str]] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)

    def connection(self, request: SpeechRequest) -> SpeechConnection:
        return SpeechConnection(
            account_key=self.account_key,
            provider="parrot",
            url=self.url,
            headers=self.headers,
            open_timeout=self.open_timeout,
            frame_timeout=self.frame_timeout,
            sound_timeout=self.sound_timeout,
            reuse_seconds=self.reuse_seconds,
        )

    def session(self, request: SpeechRequest) -> Parrot:
        return Parrot(request.text)

    def handshake_refused(self, status: int, body: str, *, date: str = "") -> ProviderError | None:
        self.asked.append((status, body))
        self.dates.append(date)
        return self.refused


def said(speech: ParrotSpeech, driver: Driver) -> list[Spoken]:
    return list(driver.speak(speech, REQUEST))


def failure(speech: ParrotSpeech, driver: Driver) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        said(speech, driver)
    assert "sk-1" not in f"{caught.value}{caught.value!r}"
    return caught.value


def polite(peer: Peer) -> None:
    peer.handshake()
    while peer.read_frame()[0] == TEXT:
        peer.send_binary(b"one")
        peer.send_binary(b"two")
        peer.send_text("done")


def then(*steps: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """After handshake and first frame, these steps."""

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        for step in steps:
            step(peer)

    return script


def audio(peer: Peer) -> None:
    peer.send_binary(b"one")


def stays(peer: Peer) -> None:
    peer.wait_until_left()


# --- one task ---


def test_it_speaks_and_ends_with_done(driver: Driver) -> None:
    with Loopback(polite) as server:
        assert said(ParrotSpeech(server.ws), driver) == [
            Audio(b"one"),
            Audio(b"two"),
            Done(characters=5, request_id="r-1"),
        ]


def test_it_sends_its_headers_and_no_origin(driver: Driver) -> None:
    seen = []

    def script(peer: Peer) -> None:
        seen.append(peer.handshake())
        peer.read_frame()
        peer.send_text("done")

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws + "/api-ws/v1/inference"), driver)
    assert seen[0].line == "GET /api-ws/v1/inference HTTP/1.1"
    assert seen[0].headers["authorization"] == "Bearer sk-1"
    assert "origin" not in seen[0].headers


def test_it_sends_what_the_session_answers_text_as_text_and_bytes_as_bytes(driver: Driver) -> None:
    seen = []

    def script(peer: Peer) -> None:
        peer.handshake()
        seen.append(peer.read_frame())
        peer.send_text("more")
        seen.extend([peer.read_frame(), peer.read_frame()])
        peer.send_text("done")

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws), driver)
    assert seen == [(TEXT, b"hello"), (TEXT, b"more text"), (BINARY, b"more bytes")]


def test_it_yields_each_piece_before_the_provider_sends_the_next(driver: Driver) -> None:
    heard = threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_binary(b"one")
        assert heard.wait(5)
        peer.send_text("done")

    with Loopback(script) as server:
        spoken = driver.speak(ParrotSpeech(server.ws), REQUEST)
        assert next(spoken) == Audio(b"one")
        heard.set()
        assert isinstance(next(spoken), Done)


def test_it_answers_a_ping_and_goes_on(driver: Driver) -> None:
    seen = []

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_frame(PING, b"are you there")
        seen.append(peer.read_frame())
        peer.send_text("done")

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws), driver)
    assert seen == [(PONG, b"are you there")]


def test_it_joins_a_message_that_came_in_fragments(driver: Driver) -> None:
    fragments = then(
        lambda peer: peer.send_frame(BINARY, b"on", final=False),
        lambda peer: peer.send_frame(0, b"e"),
        lambda peer: peer.send_text("done"),
    )
    with Loopback(fragments) as server:
        assert said(ParrotSpeech(server.ws), driver)[0] == Audio(b"one")


# --- refused and unreachable ---


def test_nobody_listening_is_unreachable(driver: Driver) -> None:
    error = failure(ParrotSpeech(f"ws://127.0.0.1:{free_port()}"), driver)
    assert type(error) is Unreachable
    assert error.retryable


def test_a_handshake_without_answer_is_unreachable(driver: Driver) -> None:
    with Loopback(stays) as server:
        assert type(failure(ParrotSpeech(server.ws, open_timeout=0.2), driver)) is Unreachable


def test_tls_that_fails_is_unreachable(driver: Driver) -> None:
    with Loopback(lambda peer: peer.send(b"this is no TLS")) as server:
        assert type(failure(ParrotSpeech(server.ws.replace("ws:", "wss:")), driver)) is Unreachable


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, CredentialsRejected),
        (403, CredentialsRejected),
        (429, RateLimited),
        (404, Unreachable),
        (500, ProviderTrouble),
        (503, ProviderTrouble),
    ],
)
def test_a_refused_handshake_is_told_by_its_status(status: int, kind: type[ProviderError], driver: Driver) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(status, "no")

    with Loopback(script) as server:
        speech = ParrotSpeech(server.ws)
        error = failure(speech, driver)
    assert type(error) is kind
    assert error.http_status == status
    assert speech.asked == [(status, "no")]


def test_the_provider_may_know_better_what_a_refused_handshake_means(driver: Driver) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(403, '{"code": "Full"}')

    with Loopback(script) as server:
        error = failure(ParrotSpeech(server.ws, refused=SlotsExhausted(provider="parrot")), driver)
    assert type(error) is SlotsExhausted


def test_it_follows_no_redirect(driver: Driver) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(302, "", headers={"Location": elsewhere.ws})

    with Loopback(polite) as elsewhere, Loopback(script) as server:
        assert type(failure(ParrotSpeech(server.ws), driver)) is Unreachable
        assert elsewhere.connections == 0


@pytest.mark.parametrize("address", ["", "127.0.0.1", "http://127.0.0.1/", "ws://"])
def test_an_address_that_is_no_url_is_a_mistake_of_the_set_up(address: str, driver: Driver) -> None:
    with pytest.raises(ConfigurationError, match="parrot"):
        said(ParrotSpeech(address), driver)


# --- lost ---


def invalid_utf8(peer: Peer) -> None:
    peer.send_frame(TEXT, b"\xff\xfe")


def reserved_bits(peer: Peer) -> None:
    peer.send(b"\xf1\x00")


def announces_too_much(peer: Peer) -> None:
    peer.send(b"\x82\x7f" + (2**40).to_bytes(8, "big"))
    block = bytes(1024 * 1024)
    for _ in range(MAX_MESSAGE_BYTES // len(block) + 2):
        peer.send(block)


ENDINGS = [
    Peer.reset,
    Peer.hang_up,
    Peer.send_close,
    lambda peer: peer.send_close(1011),
    stays,
    invalid_utf8,
    reserved_bits,
    announces_too_much,
    lambda peer: peer.send(b"\x82\x05on"),
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_connection_lost_before_any_audio_is_broken_and_worth_another_try(
    ending: Callable[[Peer], None], driver: Driver
) -> None:
    with Loopback(then(ending)) as server:
        error = failure(ParrotSpeech(server.ws, frame_timeout=0.3), driver)
        assert type(error) is StreamBroken
        assert error.retryable
        assert error.request_id == "task of hello"
        assert server.connections == 1


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_connection_lost_after_audio_is_broken_and_not_tried_again(
    ending: Callable[[Peer], None], driver: Driver
) -> None:
    with Loopback(then(audio, ending)) as server:
        error = failure(ParrotSpeech(server.ws, frame_timeout=0.3), driver)
        assert type(error) is StreamBroken
        assert not error.retryable
        assert server.connections == 1


def fragments_without_end(peer: Peer) -> None:
    peer.send_frame(BINARY, b"", final=False)
    for _ in range(MAX_MESSAGE_BYTES // 1024 // 1024 + 2):
        peer.send_frame(0, bytes(1024 * 1024), final=False)


@pytest.mark.parametrize("script", [announces_too_much, fragments_without_end])
def test_a_message_without_end_is_not_collected(script: Callable[[Peer], None], driver: Driver) -> None:
    with Loopback(then(script)) as server:
        assert "a message of more than 16777216 bytes" in failure(ParrotSpeech(server.ws), driver).detail


def test_bytes_that_trickle_in_do_not_stretch_the_patience_with_a_frame(driver: Driver) -> None:
    def trickle(peer: Peer) -> None:
        peer.send(b"\x82\x7e\xff\xff")
        while not peer.left_within(0.02):
            peer.send(b".")

    with Loopback(then(trickle)) as server:
        error = failure(ParrotSpeech(server.ws, frame_timeout=0.3), driver)
    assert "0.3 s" in error.detail


@pytest.mark.parametrize("before", [[], [audio]])
def test_talk_without_a_sound_does_not_stretch_the_patience_either(
    before: list[Callable[[Peer], None]], driver: Driver
) -> None:
    def chatter(peer: Peer) -> None:
        while not peer.left_within(0.02):
            peer.send_text("well")

    with Loopback(then(*before, chatter)) as server:
        error = failure(ParrotSpeech(server.ws, sound_timeout=0.3), driver)
    assert "no sound" in error.detail
    assert error.retryable == (not before)


def test_what_the_provider_said_before_it_hung_up_is_heard_although_sending_fails(driver: Driver) -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_text("more")
        peer.send_text("more")
        peer.send_text("fail")
        peer.hang_up()

    with Loopback(script) as server:
        assert type(failure(ParrotSpeech(server.ws), driver)) is RateLimited


def test_a_refusal_carries_the_request_id(driver: Driver) -> None:
    with Loopback(then(lambda peer: peer.send_text("fail"), stays)) as server:
        assert failure(ParrotSpeech(server.ws), driver).request_id == "task of hello"


def test_closing_the_generator_closes_the_socket(driver: Driver) -> None:
    goodbyes = []
    gone = threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_binary(b"one")
        goodbyes.append(peer.read_frame()[0])
        assert peer.wait_until_left() == b""
        gone.set()

    with Loopback(script) as server:
        spoken = driver.speak(ParrotSpeech(server.ws), REQUEST)
        next(spoken)
        spoken.close()
        assert gone.wait(5)
        assert goodbyes == [CLOSE]
        assert not driver.kept(ParrotSpeech(server.ws).connection(REQUEST))


# --- between tasks ---


def test_it_uses_a_connection_again_after_done(driver: Driver) -> None:
    with Loopback(polite) as server:
        for _ in range(3):
            said(ParrotSpeech(server.ws), driver)
        assert server.connections == 1


def test_it_uses_a_connection_again_when_the_listener_left_at_done(driver: Driver) -> None:
    with Loopback(polite) as server:
        spoken = driver.speak(ParrotSpeech(server.ws), REQUEST)
        assert any(isinstance(event, Done) for event in spoken)
        spoken.close()
        said(ParrotSpeech(server.ws), driver)
        assert server.connections == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda url: ParrotSpeech(url, account_key="2"),
        lambda url: ParrotSpeech(url + "/other"),
        lambda url: ParrotSpeech(url, headers={"Authorization": "Bearer sk-2"}),
    ],
    ids=["account", "address", "credentials"],
)
def test_it_never_shares_a_connection_with_another(other: Callable[[str], ParrotSpeech], driver: Driver) -> None:
    with Loopback(polite) as server:
        said(ParrotSpeech(server.ws), driver)
        said(other(server.ws), driver)
        assert server.connections == 2


def test_it_opens_another_connection_while_one_is_speaking(driver: Driver) -> None:
    with Loopback(polite) as server:
        first = driver.speak(ParrotSpeech(server.ws), REQUEST)
        next(first)
        said(ParrotSpeech(server.ws), driver)
        assert len(list(first)) == 2
        assert server.connections == 2


def test_a_provider_of_single_use_connections_gets_a_new_one_each_time(driver: Driver) -> None:
    with Loopback(polite) as server:
        said(ParrotSpeech(server.ws, reuse_seconds=0), driver)
        said(ParrotSpeech(server.ws, reuse_seconds=0), driver)
        assert server.connections == 2


def test_it_gives_up_a_connection_that_has_waited_too_long(make_driver: type[Any]) -> None:
    now = [1000.0]
    driver = make_driver(clock=lambda: now[0])
    with Loopback(polite) as server:
        said(ParrotSpeech(server.ws), driver)
        now[0] += 29.9
        said(ParrotSpeech(server.ws), driver)
        assert server.connections == 1
        now[0] += 30
        said(ParrotSpeech(server.ws), driver)
        assert server.connections == 2
        driver.close()


def test_it_keeps_no_more_idle_connections_than_it_may(make_driver: type[Any]) -> None:
    driver = make_driver(most=1)
    with Loopback(polite) as server:
        at_once = [driver.speak(ParrotSpeech(server.ws), REQUEST) for _ in range(3)]
        for spoken in at_once:
            next(spoken)
        for spoken in at_once:
            list(spoken)
        assert driver.kept(ParrotSpeech(server.ws).connection(REQUEST))
        assert not driver.kept(ParrotSpeech(server.ws).connection(REQUEST))
        driver.close()


def test_a_failed_task_takes_its_connection_with_it(driver: Driver) -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_text("done" if peer.number else "fail")
        peer.wait_until_left()

    with Loopback(script) as server:
        failure(ParrotSpeech(server.ws), driver)
        said(ParrotSpeech(server.ws), driver)
        assert server.connections == 2


@pytest.mark.parametrize("ending", [Peer.send_close, Peer.hang_up, Peer.reset, lambda peer: peer.send_text("done")])
def test_a_kept_connection_that_spoke_or_ended_while_idle_is_not_used(
    ending: Callable[[Peer], None], driver: Driver
) -> None:
    idle, ended = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_binary(b"one")
        peer.send_text("done")
        if peer.number == 0:
            assert idle.wait(5)
            ending(peer)
            ended.set()
            peer.wait_until_left()

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws), driver)
        idle.set()
        assert ended.wait(5)
        assert said(ParrotSpeech(server.ws), driver)[0] == Audio(b"one")
        assert server.connections == 2


@pytest.mark.parametrize("ending", [Peer.reset, Peer.hang_up, Peer.send_close])
def test_a_kept_connection_that_dies_before_saying_anything_is_replaced_once(
    ending: Callable[[Peer], None], driver: Driver
) -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_binary(b"one")
        peer.send_text("done")
        if peer.number == 0:
            peer.read_frame()
            ending(peer)

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws), driver)
        assert [type(event) for event in said(ParrotSpeech(server.ws), driver)] == [Audio, Done]
        assert server.connections == 2


def test_its_replacement_is_not_replaced_again(driver: Driver) -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        if peer.number == 0:
            peer.send_text("done")
            peer.read_frame()

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws), driver)
        assert type(failure(ParrotSpeech(server.ws), driver)) is StreamBroken
        assert server.connections == 2


@pytest.mark.parametrize("last_words", [lambda peer: peer.send_text("more"), audio, stays])
def test_a_kept_connection_that_said_something_or_only_stays_silent_is_not_replaced(
    last_words: Callable[[Peer], None], driver: Driver
) -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_frame()
        peer.send_text("done")
        peer.read_frame()
        last_words(peer)

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws), driver)
        assert type(failure(ParrotSpeech(server.ws, frame_timeout=0.3), driver)) is StreamBroken
        assert server.connections == 1


def test_it_carries_no_cookie_from_one_connection_to_another(driver: Driver) -> None:
    cookies = []

    def script(peer: Peer) -> None:
        request = peer.handshake(headers="Set-Cookie: session=1; Domain=127.0.0.1; Path=/\r\n")
        cookies.append(request.headers.get("cookie"))
        peer.read_frame()
        peer.send_text("done")

    with Loopback(script) as server:
        said(ParrotSpeech(server.ws, account_key="1"), driver)
        said(ParrotSpeech(server.ws, account_key="2"), driver)
    assert cookies == [None, None]


# --- threads and processes ---


@pytest.fixture
def pool() -> Iterator[ws.ConnectionPool]:
    pool = ws.ConnectionPool()
    yield pool
    pool.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_without_its_parents_connections(pool: ws.ConnectionPool) -> None:
    with Loopback(polite) as server:
        list(ws.speak(ParrotSpeech(server.ws), REQUEST, pool=pool))
        child = os.fork()
        if child == 0:
            try:
                list(ws.speak(ParrotSpeech(server.ws), REQUEST, pool=pool))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        list(ws.speak(ParrotSpeech(server.ws), REQUEST, pool=pool))
        assert server.connections == 2


def test_many_threads_share_one_pool(pool: ws.ConnectionPool) -> None:
    results: list[list[Spoken]] = []

    def work() -> None:
        results.extend(list(ws.speak(ParrotSpeech(server.ws), REQUEST, pool=pool)) for _ in range(5))

    with Loopback(polite) as server:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(results) == 20
        assert all(len(events) == 3 for events in results)
        assert server.connections <= 4
