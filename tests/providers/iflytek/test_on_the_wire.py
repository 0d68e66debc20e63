"""The sessions over real sockets, against a peer that says what no honest sandbox would."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.providers.iflytek.office import API_KEY, API_SECRET, RES_ID, account, cloning
from tests.providers.iflytek.test_speech import ACKNOWLEDGED, SID, frame
from tests.providers.loopback import Loopback, Peer
from voices.providers import registry, ws
from voices.providers.base import Audio, Done, RemoteState, SpeechRequest, Started
from voices.providers.errors import (
    Act,
    ClockSkewed,
    CredentialsRejected,
    InvalidRequest,
    ProviderError,
    ProviderTrouble,
    StreamBroken,
    VoiceNotFound,
)


def request(text: str = "你好。", *, model: str = "omni_v1") -> SpeechRequest:
    voice = "x5_lingxiaoxuan_flow" if model == "super_humanoid" else RES_ID
    return SpeechRequest(remote_id=voice, model=model, text=text, audio_format="mp3", sample_rate=24000)


def spoken(server: Loopback, what: SpeechRequest | None = None) -> list[ws.Spoken]:
    speech = registry.build("iflytek", account(server)).speech
    assert speech is not None
    return list(ws.speak(speech, what or request()))


def failure(script: Callable[[Peer], None]) -> ProviderError:
    with Loopback(script) as server, pytest.raises(ProviderError) as caught:
        spoken(server)
    for secret in (API_KEY, API_SECRET, "authorization"):
        assert secret not in f"{caught.value}{caught.value!r}{caught.value.detail}"
    return caught.value


def says(*frames: str, then: Callable[[Peer], None] | None = None) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.read_text()
        for each in frames:
            peer.send_text(each)
        if then is not None:
            then(peer)
        peer.wait_until_left()

    return script


def test_every_task_has_a_connection_of_its_own_with_a_proof_of_its_own() -> None:
    lines = []

    def script(peer: Peer) -> None:
        lines.append(peer.handshake().line)
        peer.read_text()
        peer.send_text(frame(b"one"))
        peer.send_text(frame(b"", status=2))
        peer.wait_until_left()

    with Loopback(script) as server:
        for model in ("omni_v1", "super_humanoid"):
            assert isinstance(spoken(server, request(model=model))[-1], Done)
        assert server.connections == 2
    assert [urlsplit(line.split()[1]).path for line in lines] == ["/v1/private/voice_clone", "/v1/private/mcd9m97e6"]
    for line in lines:
        assert parse_qs(urlsplit(line.split()[1]).query).keys() == {"authorization", "date", "host"}


def test_a_long_text_is_all_out_before_the_first_answer_is_needed() -> None:
    got = []

    def script(peer: Peer) -> None:
        peer.handshake()
        while json.loads(peer.read_text())["header"]["status"] != 2:
            got.append(1)
        peer.send_text(frame(b"one", status=2))
        peer.wait_until_left()

    with Loopback(script) as server:
        spoken(server, request("今天天气很好。" * 2500, model="super_humanoid"))
    assert len(got) == 8


@pytest.mark.parametrize("before", [(), (ACKNOWLEDGED,)])
def test_a_polite_close_before_the_end_is_a_failure(before: tuple[str, ...]) -> None:
    error = failure(says(*before, then=lambda peer: peer.send_close(1000)))
    assert type(error) is StreamBroken
    assert error.retryable
    assert error.request_id == (SID if before else "")


def test_a_polite_close_in_the_middle_is_a_failure_that_is_not_tried_again() -> None:
    heard: list[ws.Spoken] = []
    with Loopback(says(frame(b"one"), then=lambda peer: peer.send_close(1000))) as server:
        speech = registry.build("iflytek", account(server)).speech
        assert speech is not None
        with pytest.raises(StreamBroken) as caught:
            heard.extend(event for event in ws.speak(speech, request()))
        assert server.connections == 1
    assert not caught.value.retryable


def test_half_a_frame_is_not_audio() -> None:
    assert type(failure(says(frame(b"one")[:40]))) is ProviderTrouble


def test_an_error_is_told_by_its_frame_and_not_by_the_close_that_follows() -> None:
    said = json.dumps({"header": {"code": 26004, "message": "invalid res_id", "sid": SID, "status": 0}})
    error = failure(says(said, then=lambda peer: peer.send_close(1000)))
    assert type(error) is VoiceNotFound
    assert (error.provider_code, error.request_id) == ("26004", SID)


# --- the handshake ---


def refuses(status: int, body: str, **headers: str) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(status, body, headers=headers)

    return script


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "Unauthorized", CredentialsRejected),
        (401, "HMAC signature cannot be verified: apikey not found", CredentialsRejected),
        (401, "HMAC signature does not match", CredentialsRejected),
        (404, "", InvalidRequest),
        (503, "", ProviderTrouble),
    ],
)
def test_a_refused_handshake_is_told_by_its_status(status: int, message: str, kind: type[ProviderError]) -> None:
    error = failure(refuses(status, json.dumps({"message": message})))
    assert type(error) is kind
    assert error.http_status == status


def test_a_clock_ten_minutes_off_is_a_sentence_for_the_operator() -> None:
    message = "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication"
    with Loopback(refuses(403, json.dumps({"message": message}), Date=formatdate(1767225600, usegmt=True))) as server:
        speech = registry.build("iflytek", account(server)).speech
        assert speech is not None
        object.__setattr__(speech, "clock", lambda: 1767225600 + 600.0)
        with pytest.raises(ClockSkewed) as caught:
            list(ws.speak(speech, request()))
        assert server.connections == 1
    assert caught.value.act is Act.OPERATOR
    assert caught.value.detail.startswith("our clock is 600 s ahead of the provider's")


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_code_in_the_refusal_decides(wrapped: bool) -> None:
    said = {"code": 11200, "message": "licc limit", "sid": SID}
    error = failure(refuses(403, json.dumps({"header": said} if wrapped else said)))
    assert (error.code, error.provider_code, error.request_id) == ("account_blocked", "11200", SID)


# --- looking a voice up ---


def test_a_voice_is_looked_up_by_speaking_one_character_with_it() -> None:
    texts = []

    def script(peer: Peer) -> None:
        peer.handshake()
        asked = json.loads(peer.read_text())
        texts.append((asked["header"]["res_id"], asked["parameter"]["tts"]["vcn"], asked["payload"]["text"]["text"]))
        peer.send_text(frame(b"one", status=2))
        peer.wait_until_left()

    with Loopback(script) as server:
        told = cloning(server).look_up(RES_ID, "standard")
    assert (told.remote_id, told.state, told.model) == (RES_ID, RemoteState.READY, "standard")
    assert texts == [(RES_ID, "x5_clone", "MQ==")]


def test_a_voice_that_the_application_does_not_have_is_gone() -> None:
    said = json.dumps({"header": {"code": 26004, "message": "invalid res_id", "sid": SID, "status": 0}})
    with Loopback(says(said)) as server:
        told = cloning(server).look_up(RES_ID, "omni_v1")
    assert told.state is RemoteState.GONE
    assert isinstance(told.reason, VoiceNotFound)
    assert told.request_id == SID


def test_trouble_while_looking_up_is_no_answer_about_the_voice() -> None:
    said = json.dumps({"header": {"code": 10223, "message": "RemoteLB", "sid": SID, "status": 0}})
    with Loopback(says(said)) as server, pytest.raises(ProviderTrouble):
        cloning(server).look_up(RES_ID, "omni_v1")


def test_a_stock_voice_is_not_looked_up() -> None:
    with Loopback(says()) as server:
        with pytest.raises(InvalidRequest) as caught:
            cloning(server).look_up("x5_lingxiaoxuan_flow", "super_humanoid")
        assert server.connections == 0
    assert caught.value.act is Act.USER


def test_times_come_with_the_audio() -> None:
    frames = (frame(b"one", pybuf="sil:4;你[=ni3]-n3:12;@-i3"), frame(b"two", pybuf=":16;sil:2;"), frame(b"", status=2))
    with Loopback(says(*frames)) as server:
        events = spoken(server)
    marks = [event for event in events if not isinstance(event, Started | Audio | Done)]
    assert [getattr(mark, "text", None) for mark in marks] == [None, "", "你", ""]
