"""Speech through the relay, over real sockets: what is heard, what is refused, and what the row says afterwards."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from synthesis.models import SynthesisJob
from tests.cast import token_of
from tests.front import Answer, Portal, hang_up_after
from tests.listening import listen
from tests.processes.eventually import eventually
from tests.recordings import WOMAN, recording
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import revoke_token
from voiceclone_site.sandbox.remote import Sandbox
from voices import books
from voices.models import ProviderAccount, VoiceClone

State = SynthesisJob.State

SPEECH, OPENAI = "/api/v1/speech", "/v1/audio/speech"
WEATHER = "今天天气怎么样？"
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？"


@pytest.fixture
def token(alice: User) -> str:
    return token_of(alice)


@pytest.fixture
def ask(portal: Portal, token: str, ready_voice: VoiceClone) -> Any:
    def speak(text: str = WEATHER, **changes: Any) -> Answer:
        return portal.ask(SPEECH, {"voice": str(ready_voice.pk), "text": text, **changes}, token=token)

    return speak


def the_job(portal: Portal) -> SynthesisJob:
    """Once it is in the books, and the books are right."""
    portal.until_quiet()
    job = SynthesisJob.objects.get()
    assert job.lease_token is None
    assert job.intent == ""
    assert list(books.discrepancies()) == []
    return job


# --- heard -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "opus"])
def test_it_speaks_in_the_voice_of_the_sample(ask: Any, portal: Portal, audio_format: str) -> None:
    answer = ask(STORY, format=audio_format)
    assert answer.status == 200
    assert not answer.broken
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["x-request-id"]) == 16
    assert listen(answer.body).f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)
    job = the_job(portal)
    assert str(job.pk) == answer.headers["x-job-id"]
    assert (job.state, job.mode, job.characters) == (State.SUCCESS, "stream", job.characters_expected)
    assert job.first_audio_ms is not None
    with job.audio.open("rb") as kept:
        assert len(kept.read()) == job.audio_bytes == len(answer.body)


def test_it_is_heard_before_the_provider_has_said_its_last(
    portal: Portal, token: str, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    sandbox.configure(speed=4)
    body = json.dumps({"voice": str(ready_voice.pk), "text": STORY}).encode()
    sock = portal.connect()
    sock.sendall(request(SPEECH, token, body))
    heard = sock.recv(65536)
    assert heard.startswith(b"HTTP/1.1 200")
    assert sandbox.ledger.answers("task-finished") == []
    while not heard.endswith(b"\r\n0\r\n\r\n"):
        piece = sock.recv(65536)
        assert piece, "it was broken off"
        heard += piece
    sock.close()
    assert the_job(portal).state == State.SUCCESS


@pytest.mark.parametrize("dialect", ["native", "openai", "elevenlabs"])
def test_whoever_looks_right_after_the_last_byte_sees_that_it_has_succeeded(
    portal: Portal, alice_api: APIClient, token: str, ready_voice: VoiceClone, dialect: str
) -> None:
    path, body = {
        "native": (SPEECH, {"voice": str(ready_voice.pk), "text": WEATHER}),
        "openai": (OPENAI, {"model": "tts-1", "voice": str(ready_voice.pk), "input": WEATHER}),
        "elevenlabs": (f"/v1/text-to-speech/{ready_voice.pk}/stream", {"text": WEATHER}),
    }[dialect]
    answer = portal.ask(path, body, token=token)
    assert (answer.status, answer.broken) == (200, False)
    (job,) = alice_api.get("/api/v1/jobs").json()["results"]
    assert (job["state"], job["characters"]) == ("Success", job["characters_expected"])


def test_a_kept_connection_is_used_again_for_the_same_account(ask: Any, portal: Portal, sandbox: Sandbox) -> None:
    for _time in range(3):
        assert ask().status == 200
    assert len(sandbox.ledger.calls("handshake")) == 1


def test_it_is_spoken_to_in_openais_form_by_the_voices_name(
    portal: Portal, token: str, ready_voice: VoiceClone
) -> None:
    answer = portal.ask(OPENAI, {"model": "tts-1", "voice": ready_voice.name, "input": WEATHER}, token=token)
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/mpeg")
    assert answer.headers["x-voice-id"] == str(ready_voice.pk)
    assert listen(answer.body).duration > 0.5
    assert the_job(portal).audio_format == "mp3"


def test_the_page_plays_from_the_same_relay(portal: Portal, alice_client: Client, ready_voice: VoiceClone) -> None:
    form = {"voice": str(ready_voice.pk), "text": "hello"}
    answer = portal.submit("/speak/stream/", form, browser=alice_client)
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/wav")
    assert "x-relay-job" not in answer.headers
    assert str(the_job(portal).pk) == answer.headers["x-job-id"]


def test_a_form_from_another_page_is_refused(portal: Portal, alice_client: Client, ready_voice: VoiceClone) -> None:
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in alice_client.cookies.items())
    kind = "application/x-www-form-urlencoded"
    form = f"voice={ready_voice.pk}&text=hello".encode()
    assert portal.ask("/speak/stream/", form, headers={"Cookie": cookies, "Content-Type": kind}).status == 403


def test_it_passes_the_parameters_on(ask: Any, sandbox: Sandbox) -> None:
    parameters = {"rate": 1.5, "volume": 60, "seed": 7}
    assert ask(sample_rate=16000, parameters=parameters).status == 200
    sent = sandbox.ledger.calls("run-task")[0].body["payload"]["parameters"]
    assert parameters.items() <= sent.items()
    assert sent["sample_rate"] == 16000


def test_the_same_key_is_spoken_once(ask: Any, portal: Portal, token: str, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "text": WEATHER}
    first = portal.ask(SPEECH, body, token=token, headers={"Idempotency-Key": "k-1"})
    portal.until_quiet()
    again = portal.ask(SPEECH, body, token=token, headers={"Idempotency-Key": "k-1"})
    assert (first.status, again.status) == (200, 200)
    assert first.headers["x-job-id"] == again.headers["x-job-id"] == str(the_job(portal).pk)


def test_who_speaks_http_1_0_gets_the_whole_at_once(portal: Portal, token: str, ready_voice: VoiceClone) -> None:
    body = json.dumps({"voice": str(ready_voice.pk), "text": WEATHER}).encode()
    sock = portal.connect()
    sock.sendall(request(SPEECH, token, body).replace(b"HTTP/1.1", b"HTTP/1.0"))
    got = b""
    while piece := sock.recv(65536):
        got += piece
    sock.close()
    head, _, audio = got.partition(b"\r\n\r\n")
    assert f"content-length: {len(audio)}".encode() in head
    assert the_job(portal).audio_bytes == len(audio)


def test_the_head_of_an_answer_leaves_with_its_first_sound(portal: Portal, token: str, ready_voice: VoiceClone) -> None:
    body = json.dumps({"voice": str(ready_voice.pk), "text": WEATHER, "format": "pcm"}).encode()
    with closing(portal.connect()) as sock:
        sock.sendall(request(SPEECH, token, body))
        head, _, sound = sock.recv(1 << 20).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert len(sound) > 100
        # Nobody is left waiting for the rest.
        while not sound.endswith(b"\r\n0\r\n\r\n"):
            sound += sock.recv(1 << 20)
    portal.until_quiet()


def test_who_asks_first_whether_to_send_is_told_so_before_anything_else(
    portal: Portal, token: str, ready_voice: VoiceClone
) -> None:
    body = json.dumps({"voice": str(ready_voice.pk), "text": WEATHER}).encode()
    with closing(portal.connect()) as sock:
        head = request(SPEECH, token, body).removesuffix(body)
        sock.sendall(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    portal.until_quiet()


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"text": ""}, {"text"}),
        ({"text": None}, {"text"}),
        ({"text": "字" * 300_000}, {"text"}),
        ({"format": "tape"}, {"format"}),
        ({"sample_rate": 1}, {"sample_rate"}),
        ({"sample_rate": True}, {"sample_rate"}),
        ({"parameters": {"rate": 9}}, {"parameters.rate"}),
        ({"parameters": []}, {"parameters"}),
        ({"tempo": 1}, {"tempo"}),
    ],
)
def test_it_names_what_is_wrong(ask: Any, portal: Portal, changes: dict[str, Any], fields: set[str]) -> None:
    answer = ask(**changes)
    assert answer.status == 400
    assert answer.json()["error"]["code"] == "invalid_input"
    assert set(answer.json()["error"]["fields"]) == fields
    assert not SynthesisJob.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 50_000])
@pytest.mark.parametrize("path", [SPEECH, OPENAI])
def test_what_is_no_json_object_is_refused(portal: Portal, token: str, path: str, body: bytes) -> None:
    answer = portal.ask(path, body, token=token)
    assert answer.status == 400
    assert answer.json()["error"]["message"]


def test_too_large_a_body_is_not_taken_in(portal: Portal, token: str) -> None:
    assert portal.ask(SPEECH, b"[" + b" " * 5_000_000, token=token).status == 413


def test_a_stranger_finds_nothing(portal: Portal, charlie: User, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "text": WEATHER}
    assert portal.ask(SPEECH, body, token=token_of(charlie)).status == 404
    named = {"voice": ready_voice.name, "input": WEATHER, "model": "tts-1"}
    assert portal.ask(OPENAI, named, token=token_of(charlie)).json()["error"]["code"] == "voice_not_found"


def test_who_asks_comes_before_what_is_asked(portal: Portal, db: None) -> None:
    for path in (SPEECH, OPENAI):
        answer = portal.ask(path, b"{")
        assert (answer.status, "www-authenticate" in answer.headers) == (401, True)


def test_a_token_that_was_revoked_a_moment_ago_is_refused(ask: Any, alice: User) -> None:
    assert ask().status == 200
    revoke_token(ApiToken.objects.get(owner=alice))
    answer = ask()
    assert (answer.status, answer.json()["error"]["code"]) == (401, "token_revoked")


def test_a_token_without_the_scope_is_refused(portal: Portal, alice: User, ready_voice: VoiceClone) -> None:
    answer = portal.ask(
        SPEECH, {"voice": str(ready_voice.pk), "text": "x"}, token=token_of(alice, scopes=["jobs:read"])
    )
    assert (answer.status, answer.json()["error"]["code"]) == (403, "scope_missing")


def test_a_provider_that_is_away_is_an_honest_503(ask: Any, portal: Portal, aliyun_account: ProviderAccount) -> None:
    endpoints = {**aliyun_account.endpoints, "websocket": "ws://127.0.0.1:1/"}
    ProviderAccount.objects.filter(pk=aliyun_account.pk).update(endpoints=endpoints)
    answer = ask()
    assert (answer.status, answer.json()["error"]["code"]) == (503, "provider_unreachable")
    assert answer.headers["content-type"] == "application/json"
    job = the_job(portal)
    assert (job.state, job.error_code, job.characters) == (State.FAILED, "provider_unreachable", 0)


@pytest.mark.parametrize("how", ["drop", "reset", "close", "half_json"])
def test_a_provider_that_fails_before_the_first_sound_is_an_honest_refusal(
    ask: Any, portal: Portal, sandbox: Sandbox, how: Any
) -> None:
    sandbox.fail(operation="synthesis", how=how)
    answer = ask()
    assert answer.status in {502, 503}
    assert answer.json()["error"]["retryable"]
    assert the_job(portal).state == State.FAILED


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("DataInspectionFailed", 422, "text_rejected"),
        ("Throttling.RateQuota", 429, "rate_limited"),
        ("InvalidApiKey", 502, "credentials_rejected"),
    ],
)
def test_a_refusal_of_the_provider_is_an_error_with_its_code(
    ask: Any, portal: Portal, sandbox: Sandbox, code: str, status: int, told: str
) -> None:
    sandbox.fail(operation="synthesis", how="error", code=code, message="no")
    answer = ask()
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["provider_code"]) == (status, told, code)
    assert the_job(portal).error_code == told


# --- broken off ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "reset", "close", "half_json", "error"])
def test_what_breaks_after_the_first_sound_breaks_the_transfer(
    ask: Any, portal: Portal, sandbox: Sandbox, how: Any
) -> None:
    sandbox.fail(operation="synthesis", how=how, at="after")
    answer = ask(STORY)
    assert answer.status == 200
    assert answer.broken
    job = the_job(portal)
    assert job.state == State.FAILED
    assert job.error_code
    assert not job.audio
    assert 0 < job.characters <= job.characters_expected


def test_who_hangs_up_stops_the_provider(portal: Portal, token: str, ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.configure(speed=2)
    sock = portal.connect()
    sock.sendall(request(SPEECH, token, json.dumps({"voice": str(ready_voice.pk), "text": STORY * 3}).encode()))
    hang_up_after(sock, 1)
    job = the_job(portal)
    assert (job.state, job.error_code) == (State.CANCELLED, "client_left")
    assert 0 < job.characters < job.characters_expected
    assert sandbox.ledger.answers("task-finished") == []


@pytest.mark.parametrize("stage", ["connected", "half a head", "half a body", "asked"])
def test_who_hangs_up_at_any_stage_leaves_nothing_behind(
    portal: Portal, token: str, ready_voice: VoiceClone, sandbox: Sandbox, stage: str
) -> None:
    sandbox.configure(speed=1)
    whole = request(SPEECH, token, json.dumps({"voice": str(ready_voice.pk), "text": STORY}).encode())
    sent = {"connected": b"", "half a head": whole[:40], "half a body": whole[:-20], "asked": whole}[stage]
    threads = threading.active_count()
    sock = portal.connect()
    sock.sendall(sent)
    sock.close()
    if stage == "asked":
        eventually(SynthesisJob.objects.exists, seconds=20, what="the job of who has asked and left")
    unsettled = SynthesisJob.objects.exclude(state=State.CANCELLED)
    eventually(lambda: not unsettled.exists(), seconds=20, what="every job cancelled")
    portal.until_quiet()
    assert list(books.discrepancies()) == []
    # One each for Django, for beginning and for settling: pools make their threads when they are first asked.
    assert threading.active_count() <= threads + 3


def request(path: str, token: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
