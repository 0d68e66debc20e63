"""A text that its provider does not take at once, spoken while it is heard: in pieces, one after the other, as one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from synthesis import cutting
from synthesis.models import SynthesisJob
from tests.cast import token_of
from tests.front import Answer, Portal, hang_up_after
from tests.listening import listen
from tests.recordings import WOMAN, recording
from tests.synthesis.test_relay import request
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import books
from voices.models import ProviderAccount, VoiceClone
from voices.providers.base import Traits

SENTENCES = ["从前有一座山。", "山上有一座庙。", "庙里有一个老和尚。", "他在讲一个故事。"]
PIECES = ["从前有一座山。山上有一座庙。", "庙里有一个老和尚。", "他在讲一个故事。"]
STORY = "".join(SENTENCES)
LIMIT = 26
State = SynthesisJob.State


@pytest.fixture(autouse=True)
def _takes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence or two at once, so that a story is long."""
    monkeypatch.setattr(Traits, "text_limits", lambda _traits, _model: (LIMIT, None))


@pytest.fixture
def token(alice: User) -> str:
    return token_of(alice)


@pytest.fixture
def speak(portal: Portal, token: str, ready_voice: VoiceClone) -> Any:
    def ask(dialect: str, text: str = STORY, **changes: Any) -> Answer:
        path, body = {
            "native": ("/api/v1/speech", {"voice": str(ready_voice.pk), "text": text, "format": "wav"}),
            "openai": ("/v1/audio/speech", {"model": "tts-1", "voice": "Annie", "input": text}),
            "elevenlabs": (f"/v1/text-to-speech/{ready_voice.pk}", {"text": text}),
        }[dialect]
        answer = portal.ask(path, body | changes, token=token)
        portal.until_quiet()
        assert list(books.discrepancies()) == []
        return answer

    return ask


def spoken_texts(sandbox: Sandbox) -> list[str]:
    return [call.body["payload"]["input"]["text"] for call in sandbox.ledger.calls("continue-task")]


@pytest.mark.parametrize("dialect", ["native", "openai", "elevenlabs"])
def test_it_is_heard_as_one(speak: Any, sandbox: Sandbox, dialect: str) -> None:
    answer = speak(dialect)
    assert (answer.status, answer.broken) == (200, False)
    assert spoken_texts(sandbox) == PIECES
    said = listen(answer.body)
    assert said.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)
    job = SynthesisJob.objects.get()
    assert (job.state, job.text, job.characters) == (State.SUCCESS, STORY, job.characters_expected)
    assert float(job.seconds or 0) == pytest.approx(said.duration, abs=0.2)


def test_nothing_is_lost_or_heard_where_pieces_meet(speak: Any) -> None:
    whole = speak("openai", response_format="pcm").body
    parts = [speak("openai", each, response_format="pcm").body for each in PIECES]
    assert len(whole) == sum(len(part) for part in parts)
    joint = len(parts[0]) // 2
    samples = np.frombuffer(whole, dtype="<i2")
    assert (samples[joint - 1], samples[joint]) == (0, 0)
    assert samples[: joint - 200].tobytes() == parts[0][: 2 * (joint - 200)]
    assert samples[-1000:].tobytes() == parts[2][-2000:]


def test_times_go_on_where_the_piece_before_has_ended(
    speak: Any, portal: Portal, token: str, ready_voice: VoiceClone
) -> None:
    first = speak("elevenlabs", PIECES[0]).body
    path = f"/v1/text-to-speech/{ready_voice.pk}/with-timestamps"
    times = portal.ask(path, {"text": STORY}, token=token).json()["alignment"]
    assert "".join(times["characters"]) == STORY
    starts = times["character_start_times_seconds"]
    assert starts == sorted(starts)
    assert starts[len(PIECES[0])] >= listen(first).duration - 0.1


def test_the_same_key_is_spoken_once_in_any_format(
    portal: Portal, token: str, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    body = {"voice": str(ready_voice.pk), "text": STORY, "format": "flac"}
    answers = []
    for _time in range(2):
        answers.append(portal.ask("/api/v1/speech", body, token=token, headers={"Idempotency-Key": "k-1"}))
        portal.until_quiet()
    first, again = answers
    assert (first.status, again.status, first.headers["content-type"]) == (200, 200, "audio/flac")
    assert again.headers["idempotency-replayed"] == "true"
    assert first.headers["x-job-id"] == again.headers["x-job-id"]
    assert again.body == first.body
    assert spoken_texts(sandbox) == PIECES


@pytest.mark.parametrize("at", ["start", "after"])
def test_where_a_later_piece_fails_the_transfer_breaks_and_what_was_spoken_is_counted(
    speak: Any, sandbox: Sandbox, at: Any
) -> None:
    sandbox.fail(operation="synthesis", nth=2, at=at, how="error", code="InternalError")
    answer = speak("openai", response_format="pcm")
    assert (answer.status, answer.broken) == (200, True)
    job = SynthesisJob.objects.get()
    assert (job.state, job.error_provider_code) == (State.FAILED, "InternalError")
    count = job.voice.traits.count_characters
    assert count(PIECES[0]) <= job.characters <= count("".join(PIECES[:2]))
    assert spoken_texts(sandbox)[0] == PIECES[0]
    assert PIECES[2] not in spoken_texts(sandbox)


def test_who_hangs_up_in_a_later_piece_is_not_spoken_to_any_more(
    portal: Portal, token: str, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    body = {"model": "tts-1", "voice": "Annie", "input": STORY, "response_format": "pcm"}
    first = len(portal.ask("/v1/audio/speech", {**body, "input": PIECES[0]}, token=token).body)
    portal.until_quiet()
    sandbox.configure(speed=4)
    sock = portal.connect()
    sock.sendall(request("/v1/audio/speech", token, json.dumps(body).encode()))
    hang_up_after(sock, first + 4096)
    portal.until_quiet()
    job = SynthesisJob.objects.get(text=STORY)
    assert (job.state, job.error_code) == (State.CANCELLED, "client_left")
    count = job.voice.traits.count_characters
    assert count(PIECES[0]) < job.characters < job.characters_expected
    assert list(books.discrepancies()) == []


def test_a_piece_waits_for_its_slot(speak: Any, sandbox: Sandbox) -> None:
    ProviderAccount.objects.update(synthesis_rate=2)
    assert speak("openai").status == 200
    begun = [call.at for call in sandbox.ledger.calls("run-task")]
    # The first was late by its handshake.
    assert begun[2] - begun[1] > 0.4, begun


def test_what_is_too_long_even_so_is_refused_with_a_way_out(
    speak: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "LONGEST_TEXT", 50)
    refused = speak("openai")
    assert (refused.status, refused.json()["error"]["param"]) == (400, "input")
    assert "several parts" in refused.json()["error"]["message"]
    assert speak("elevenlabs").json()["detail"]["status"] == "max_character_limit_exceeded"
    markup = speak("native", f"<speak>{STORY}</speak>")
    assert (markup.status, list(markup.json()["error"]["fields"])) == (400, ["text"])
    assert not SynthesisJob.objects.exists()
