"""Long texts, made formats and batches: each piece paid once, and one whole file at the end."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from synthesis import job_services, pieces
from synthesis.models import SpeechPiece, SynthesisJob
from tests.listening import listen
from tests.recordings import WOMAN, recording
from tests.studio import make_due, trained
from tests.worker import drain, finish, let_time_pass, run_one
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import VoiceClone

JOBS = "/api/v1/jobs"
SENTENCES = ["从前有一座山。", "山上有一座庙。", "庙里有一个老和尚。", "他在讲一个故事。"]
STORY = "".join(SENTENCES)
State = SynthesisJob.State


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence or two each, so that a story is long."""
    monkeypatch.setattr(job_services, "PIECE_CHARACTERS", 20)


def ordered(api: APIClient, voice: VoiceClone, **changes: Any) -> SynthesisJob:
    body = {"voice": str(voice.pk), "text": STORY, "format": "wav", **changes}
    answer = api.post(JOBS, body, format="json")
    assert answer.status_code == 201, answer.json()
    return SynthesisJob.objects.get(pk=answer.json()["id"])


def spoken_texts(sandbox: Sandbox) -> list[str]:
    return [call.body["payload"]["input"]["text"] for call in sandbox.ledger.calls("continue-task")]


def sound_of(job: SynthesisJob) -> bytes:
    with job.audio.open("rb") as sound:
        return bytes(sound.read())


def files_beneath(folder: str) -> list[Path]:
    return [path for path in (Path(settings.MEDIA_ROOT) / folder).rglob("*") if path.is_file()]


def test_it_speaks_a_long_text_in_order_and_joins_it(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    job = finish(ordered(alice_api, ready_voice))
    assert job.state == State.SUCCESS
    assert spoken_texts(sandbox) == SENTENCES
    shown = alice_api.get(f"{JOBS}/{job.pk}").json()
    assert (shown["progress"], shown["text"], shown["characters"]) == (1.0, STORY, job.characters_expected)
    sound = listen(alice_api.get(shown["audio"]["url"]).getvalue())
    assert sound.duration == pytest.approx(shown["seconds"], abs=0.01)
    assert sound.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)
    assert files_beneath("pieces") == []
    assert not SpeechPiece.objects.exists()


def test_it_joins_without_a_gap_and_without_a_click(
    alice_api: APIClient, ready_voice: VoiceClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bytes] = []
    joined = pieces.join

    def watched(job: SynthesisJob) -> None:
        for piece in job.spoken_pieces.all():
            with piece.audio.open("rb") as sound:
                kept.append(sound.read())
        joined(job)

    monkeypatch.setattr(pieces, "join", watched)
    job = finish(ordered(alice_api, ready_voice))
    samples = listen(sound_of(job)).samples
    assert len(kept) == 4
    assert len(samples) == sum(len(piece) for piece in kept) // 2
    seams = np.cumsum([len(piece) // 2 for piece in kept])[:-1]
    for seam in seams:
        assert abs(samples[seam] - samples[seam - 1]) < 0.01
        assert abs(samples[seam]) < 0.01


@pytest.mark.parametrize("audio_format", ["mp3", "opus", "flac", "aac", "wav"])
def test_it_encodes_the_whole_once(alice_api: APIClient, ready_voice: VoiceClone, audio_format: str) -> None:
    job = finish(ordered(alice_api, ready_voice, format=audio_format))
    answer = alice_api.get(f"{JOBS}/{job.pk}/audio")
    sound = listen(answer.getvalue())
    assert job.seconds is not None
    assert sound.duration == pytest.approx(job.seconds, abs=0.15)
    assert sound.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)


def test_it_makes_a_format_that_the_provider_does_not_speak(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    job = finish(ordered(alice_api, ready_voice, text="再见。", format="flac"))
    assert sound_of(job)[:4] == b"fLaC"
    assert sandbox.ledger.calls("run-task")[0].body["payload"]["parameters"]["format"] == "pcm"


def test_it_takes_the_format_from_accept(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "text": "再见。"}
    made = alice_api.post(JOBS, body, format="json", headers={"accept": "audio/flac, audio/mpeg;q=0.5"}).json()
    assert made["format"] == "flac"
    made = alice_api.post(JOBS, body, format="json", headers={"accept": "application/json"}).json()
    assert made["format"] == "mp3"


def test_it_shows_how_far_it_is(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    job = ordered(alice_api, ready_voice)
    shown = []
    for _piece in SENTENCES:
        run_one()
        shown.append(alice_api.get(f"{JOBS}/{job.pk}").json()["progress"])
    assert shown == [0.25, 0.5, 0.75, 1.0]


def test_it_lets_others_through(
    alice_api: APIClient,
    charlie_api: APIClient,
    charlie: User,
    ready_voice: VoiceClone,
    order_voice: Callable[..., VoiceClone],
) -> None:
    theirs = trained(order_voice(owner=charlie))
    long = ordered(alice_api, ready_voice)
    short = ordered(charlie_api, theirs, text="再见。")
    drain()
    long.refresh_from_db()
    short.refresh_from_db()
    assert short.finished_at is not None
    assert long.finished_at is not None
    assert short.finished_at < long.finished_at


def test_it_shifts_the_word_times(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    job = finish(ordered(alice_api, ready_voice, word_times=True))
    begins = [mark["begin_ms"] for mark in job.marks]
    assert begins == sorted(begins)
    assert job.seconds is not None
    assert job.seconds * 1000 * 0.7 < job.marks[-1]["end_ms"] <= job.seconds * 1000 + 50
    aligned = alice_api.get(f"{JOBS}/{job.pk}/alignment").json()
    assert "".join(each["text"] for each in aligned["stretches"]) == STORY
    srt = alice_api.get(f"{JOBS}/{job.pk}/subtitles.srt")
    assert srt["Content-Type"] == "application/x-subrip; charset=utf-8"
    assert [line for line in srt.content.decode().splitlines() if line in SENTENCES] == SENTENCES
    vtt = alice_api.get(f"{JOBS}/{job.pk}/subtitles.vtt", headers={"accept": "text/vtt"})
    assert vtt.content.decode().startswith("WEBVTT\n\n00:00:00.")


def test_it_says_that_no_word_times_are_known(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    job = ordered(alice_api, ready_voice, text="再见。")
    waiting = alice_api.get(f"{JOBS}/{job.pk}/subtitles.srt")
    assert (waiting.status_code, waiting.json()["error"]["code"]) == (409, "audio_not_ready")
    finish(job)
    for address in ("subtitles.srt", "subtitles.vtt", "alignment"):
        refusal = alice_api.get(f"{JOBS}/{job.pk}/{address}")
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (409, "no_word_times")


# --- paid once -------------------------------------------------------------------------------------------------------


def test_it_never_speaks_again_what_was_spoken_when_it_is_tried_again(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    job = ordered(alice_api, ready_voice)
    speak_pieces(job, 2)
    sandbox.fail(operation="synthesis", how="close", at="after")
    finish(job)
    assert (job.state, job.error_code, job.pieces_spoken) == (State.FAILED, "stream_broken", 2)
    assert job.characters >= 26
    before = len(spoken_texts(sandbox))
    again_id = alice_api.post(f"{JOBS}/{job.pk}/retry").json()["id"]
    again = finish(SynthesisJob.objects.get(pk=again_id))
    assert again.state == State.SUCCESS
    assert spoken_texts(sandbox)[before:] == SENTENCES[2:]
    assert again.characters == sum(2 * len(text) - 1 for text in SENTENCES[2:])
    assert listen(sound_of(again)).duration > 4
    assert files_beneath("pieces") == []


def test_it_speaks_all_of_it_again_when_the_voice_has_changed_since(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    job = ordered(alice_api, ready_voice)
    speak_pieces(job, 2)
    alice_api.post(f"{JOBS}/{job.pk}/cancel")
    finish(job)
    assert (job.state, job.pieces_spoken) == (State.CANCELLED, 2)
    VoiceClone.objects.filter(pk=ready_voice.pk).update(ready_at=timezone.now())
    before = len(spoken_texts(sandbox))
    again_id = alice_api.post(f"{JOBS}/{job.pk}/retry").json()["id"]
    finish(SynthesisJob.objects.get(pk=again_id))
    assert spoken_texts(sandbox)[before:] == SENTENCES


def test_it_goes_on_where_it_was_when_a_refusal_passes(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    job = ordered(alice_api, ready_voice)
    speak_pieces(job, 1)
    sandbox.fail(operation="synthesis", how="error", code="Throttling.RateQuota", message="busy")
    finish(job)
    assert job.state == State.SUCCESS
    assert [text for text in spoken_texts(sandbox) if text] == SENTENCES


def test_it_speaks_nothing_anew_when_the_process_died_in_the_middle(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    job = ordered(alice_api, ready_voice)
    speak_pieces(job, 1)
    before = len(sandbox.ledger.calls("run-task"))
    SynthesisJob.objects.filter(pk=job.pk).update(intent="synthesize", lease_token=uuid.uuid4())
    make_due(job)
    let_time_pass()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "interrupted")
    assert len(sandbox.ledger.calls("run-task")) == before


def test_it_deletes_the_sound_of_its_pieces_with_the_job(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    job = ordered(alice_api, ready_voice)
    speak_pieces(job, 2)
    assert len(files_beneath("pieces")) == 2
    alice_api.post(f"{JOBS}/{job.pk}/cancel")
    finish(job)
    alice_api.delete(f"{JOBS}/{job.pk}")
    assert files_beneath("pieces") == []
    assert not SpeechPiece.objects.exists()


def test_it_forgets_the_pieces_of_what_nobody_tried_again(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    job = ordered(alice_api, ready_voice)
    speak_pieces(job, 1)
    alice_api.post(f"{JOBS}/{job.pk}/cancel")
    finish(job)
    SynthesisJob.objects.filter(pk=job.pk).update(finished_at=timezone.now() - pieces.KEPT_FOR * 2)
    pieces.forget_old()
    assert files_beneath("pieces") == []


# --- what is refused -------------------------------------------------------------------------------------------------


def test_it_refuses_a_million_characters(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "text": "山" * 1_000_000}
    refusal = alice_api.post(JOBS, body, format="json")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (413, "request_too_large")
    refusal = alice_api.post(JOBS, body | {"text": "山" * 100_000}, format="json")
    assert refusal.status_code == 400
    assert "several parts" in refusal.json()["error"]["fields"]["text"][0]


def test_it_refuses_a_wrong_parameter_of_a_long_text(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "text": STORY, "parameters": {"rate": 9}, "sample_rate": 1}
    fields = alice_api.post(JOBS, body, format="json").json()["error"]["fields"]
    assert set(fields) == {"parameters.rate", "sample_rate"}


# --- batches ---------------------------------------------------------------------------------------------------------


def test_it_takes_many_texts_at_once(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "texts": ["一。", "二。", "三。"], "format": "mp3"}
    made = alice_api.post(f"{JOBS}/batch", body, format="json")
    assert made.status_code == 201, made.json()
    assert [job["text"] for job in made.json()["jobs"]] == body["texts"]
    drain()
    listed = alice_api.get(f"{JOBS}?batch={made.json()['batch']}").json()["results"]
    assert [job["state"] for job in listed] == ["Success"] * 3
    assert alice_api.get(f"{JOBS}?batch={uuid.uuid4()}").json()["results"] == []


def test_it_takes_none_of_a_batch_with_one_bad_text(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "texts": ["一。", "  ", "三。"]}
    refusal = alice_api.post(f"{JOBS}/batch", body, format="json")
    assert refusal.status_code == 400
    assert set(refusal.json()["error"]["fields"]) == {"texts.1"}
    assert not SynthesisJob.objects.exists()


def test_it_lets_no_stranger_at_a_batch(alice_api: APIClient, charlie_api: APIClient, ready_voice: VoiceClone) -> None:
    body = {"voice": str(ready_voice.pk), "texts": ["一。"]}
    assert charlie_api.post(f"{JOBS}/batch", body, format="json").status_code == 404
    made = alice_api.post(f"{JOBS}/batch", body, format="json").json()
    assert charlie_api.get(f"{JOBS}?batch={made['batch']}").json()["results"] == []
    for address in ("alignment", "subtitles.srt", "subtitles.vtt"):
        assert charlie_api.get(f"{JOBS}/{made['jobs'][0]['id']}/{address}").status_code == 404


def speak_pieces(job: SynthesisJob, count: int) -> None:
    """Run the queue until so many pieces have been spoken."""
    for _turn in range(count):
        run_one()
    job.refresh_from_db()
    assert job.pieces_spoken == count
