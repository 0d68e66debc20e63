"""The pages of speech, as somebody sees them in a browser without scripts; what scripts add is in tests/browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from synthesis.models import SynthesisJob
from tests.front import Answer, Portal
from tests.listening import listen
from tests.recordings import WOMAN, recording
from tests.worker import drain
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import ProviderAccount, VoiceClone

State = SynthesisJob.State

WEATHER = "今天天气怎么样？"
PREFIX = "aliyun.cosyvoice-v3-flash-"
AS_A_SCRIPT = {"accept": "application/json"}


@pytest.fixture
def account(db: None) -> ProviderAccount:
    """Open, and never spoken to."""
    return ProviderAccount.objects.create(
        provider="aliyun", name="quiet", credentials={"api_key": "k"}, endpoints={}, voice_cap=10, synthesis_rate=1000
    )


@pytest.fixture
def voice(alice: User, account: ProviderAccount) -> VoiceClone:
    """A voice of Alice's that the portal believes in; no provider has ever heard of it."""
    return voice_of(alice, account)


def voice_of(owner: User, account: ProviderAccount, **fields: Any) -> VoiceClone:
    described: dict[str, Any] = {
        "owner": owner,
        "account": account,
        "provider": "aliyun",
        "model": "cosyvoice-v3-flash",
        "language": "en",
        "name": "Annie",
        "state": VoiceClone.State.SUCCESS,
    }
    return VoiceClone.objects.create(**(described | fields))


def job_of(voice: VoiceClone, **fields: Any) -> SynthesisJob:
    described: dict[str, Any] = {
        "owner": voice.owner,
        "voice": voice,
        "provider": voice.provider,
        "model": voice.model,
        "mode": SynthesisJob.Mode.STREAM,
        "state": State.SUCCESS,
        "text": WEATHER,
        "audio_format": "wav",
        "sample_rate": 24000,
        "characters_expected": 15,
        "characters": 15,
        "seconds": 1.8,
        "first_audio_ms": 212,
    }
    return SynthesisJob.objects.create(**(described | fields))


def wish(voice: VoiceClone, **changes: Any) -> dict[str, Any]:
    return {"voice": str(voice.pk), "text": WEATHER, **changes}


def streamed(portal: Portal, browser: Client, form: dict[str, Any]) -> Answer:
    answer = portal.submit("/speak/stream/", form, browser=browser)
    assert answer.status == 200, answer.body
    portal.until_quiet()
    return answer


# --- the stream ------------------------------------------------------------------------------------------------------


def test_it_streams_speech_in_the_voice_of_the_sample(
    portal: Portal, alice_client: Client, ready_voice: VoiceClone
) -> None:
    answer = streamed(portal, alice_client, wish(ready_voice, text="从前有一座山。山上有一座庙。庙里有一个老和尚。"))
    assert (answer.headers["content-type"], answer.headers["x-accel-buffering"]) == ("audio/wav", "no")
    assert answer.headers["cache-control"] == "no-store"
    assert "content-length" not in answer.headers
    assert listen(answer.body).f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)
    job = SynthesisJob.objects.get(pk=answer.headers["x-job-id"])
    assert (job.state, job.owner, job.audio_bytes) == (State.SUCCESS, ready_voice.owner, len(answer.body))


def test_it_speaks_with_the_settings_of_the_voice_s_own_model(
    portal: Portal, alice_client: Client, ready_voice: VoiceClone
) -> None:
    form = wish(ready_voice)
    changed = {"audio_format": "mp3", "sample_rate": "16000", "rate": "1.5", "pitch": "1", "volume": "50"}
    answer = streamed(portal, alice_client, form | {PREFIX + name: value for name, value in changed.items()})
    job = SynthesisJob.objects.get(pk=answer.headers["x-job-id"])
    assert (job.audio_format, job.sample_rate, job.options) == ("mp3", 16000, {"rate": 1.5})


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({"text": "  "}, 400, "Please enter some text to speak."),
        ({"text": "好" * 100_001}, 400, "This text counts 200002 characters and the limit is 200000"),
        ({PREFIX + "rate": "9"}, 400, "Give a number from 0.5 to 2."),
        ({PREFIX + "audio_format": "tape"}, 400, "This voice speaks these formats"),
    ],
)
def test_it_refuses_in_json_before_anything_is_heard(
    alice_client: Client, voice: VoiceClone, changes: dict[str, str], status: int, sentence: str
) -> None:
    answer = alice_client.post("/speak/stream/", wish(voice, **changes), headers=AS_A_SCRIPT)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert sentence in " ".join(word for words in error["fields"].values() for word in words)
    assert not SynthesisJob.objects.exists()


def test_it_says_to_a_script_in_json_that_a_voice_is_gone(charlie_client: Client, voice: VoiceClone) -> None:
    answer = charlie_client.post("/speak/stream/", wish(voice), headers=AS_A_SCRIPT)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_it_says_that_a_voice_is_not_ready(alice: User, alice_client: Client, account: ProviderAccount) -> None:
    training = voice_of(alice, account, state=VoiceClone.State.TRAINING)
    answer = alice_client.post("/speak/stream/", wish(training), headers=AS_A_SCRIPT)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "voice_not_ready"


def test_it_says_what_the_provider_refused(
    portal: Portal, alice_client: Client, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    sandbox.forget_voices()
    answer = portal.submit("/speak/stream/", wish(ready_voice), browser=alice_client)
    portal.until_quiet()
    assert answer.status in (409, 502)
    assert answer.json()["error"]["provider_request_id"]
    assert SynthesisJob.objects.get().state == State.FAILED


# --- the page --------------------------------------------------------------------------------------------------------


def test_it_offers_the_ready_voices_and_names_those_still_in_training(
    alice: User, alice_client: Client, voice: VoiceClone, account: ProviderAccount
) -> None:
    voice_of(alice, account, name="Grandmother", state=VoiceClone.State.TRAINING)
    voice_of(alice, account, name="Broken", state=VoiceClone.State.FAILED)
    page = alice_client.get("/speak/").content.decode()
    assert f'<option value="{voice.pk}" data-engine="aliyun/cosyvoice-v3-flash" selected>' in page
    assert "Still in training:" in page
    assert "Grandmother" in page
    assert "Broken" not in page
    assert "AI-generated" in page


def test_it_shows_the_settings_of_every_model_that_has_a_voice(
    alice: User, alice_client: Client, voice: VoiceClone, account: ProviderAccount
) -> None:
    old = voice_of(alice, account, name="Old", model="cosyvoice-v1")
    page = alice_client.get(f"/speak/?voice={old.pk}").content.decode()
    assert 'data-engine="aliyun/cosyvoice-v1">' in page
    assert 'data-engine="aliyun/cosyvoice-v3-flash" hidden disabled>' in page
    assert 'name="aliyun.cosyvoice-v3-flash-instruction"' in page
    assert 'name="aliyun.cosyvoice-v1-instruction"' not in page


def test_it_leads_to_a_first_voice_where_there_is_none(alice_client: Client) -> None:
    assert "Your first voice is a few sentences away" in alice_client.get("/speak/").content.decode()


def test_it_asks_for_patience_while_the_only_voice_is_training(
    alice: User, alice_client: Client, account: ProviderAccount
) -> None:
    voice_of(alice, account, state=VoiceClone.State.TRAINING)
    assert "Almost there" in alice_client.get("/speak/").content.decode()


def test_it_says_why_the_voice_that_was_asked_for_cannot_speak(
    alice: User, alice_client: Client, account: ProviderAccount
) -> None:
    failed = voice_of(alice, account, state=VoiceClone.State.FAILED)
    page = alice_client.get(f"/speak/?voice={failed.pk}").content.decode()
    assert "“Annie” cannot speak right now." in page
    assert f'href="/voices/{failed.pk}/"' in page


def test_it_counts_as_the_provider_does(alice_client: Client, voice: VoiceClone) -> None:
    answer = alice_client.post("/speak/count/", wish(voice))
    assert answer.content.decode().strip() == "15 of 200,000 characters"
    longer = alice_client.post("/speak/count/", wish(voice, text="好" * 100_001))
    assert "too long" in longer.content.decode()


def test_it_speaks_in_the_background_by_the_form_alone(alice_client: Client, ready_voice: VoiceClone) -> None:
    answer = alice_client.post("/speak/", wish(ready_voice))
    job = SynthesisJob.objects.get()
    assert answer["Location"] == f"/history/{job.pk}/"
    assert "Waiting" in alice_client.get(answer["Location"]).content.decode()
    drain()
    assert f'src="/history/{job.pk}/audio/"' in alice_client.get(answer["Location"]).content.decode()


def test_it_keeps_text_and_settings_when_the_form_is_wrong(alice_client: Client, voice: VoiceClone) -> None:
    answer = alice_client.post("/speak/", wish(voice) | {PREFIX + "rate": "9", PREFIX + "instruction": "slowly"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Give a number from 0.5 to 2." in page
    assert WEATHER in page
    assert "slowly" in page


# --- the history -----------------------------------------------------------------------------------------------------


def test_it_shows_the_next_step_where_nothing_was_spoken(alice_client: Client) -> None:
    page = alice_client.get("/history/").content.decode()
    assert "Nothing has been spoken yet" in page
    assert 'href="/speak/"' in page


def test_it_lists_what_was_spoken_with_its_figures(alice_client: Client, voice: VoiceClone) -> None:
    job_of(voice)
    page = alice_client.get("/history/").content.decode()
    for word in (WEATHER, "Annie", "15 characters", "1.8 s", "first sound after 212 ms", "Done"):
        assert word in page


def test_it_walks_the_history_by_cursor(alice_client: Client, voice: VoiceClone) -> None:
    for number in range(25):
        job_of(voice, text=f"Text {number:02}")
    first = alice_client.get("/history/").context["page"]
    second = alice_client.get(f"/history/?{first.older}").context["page"]
    assert [job.text for job in second.rows] == [f"Text {number:02}" for number in reversed(range(5))]
    assert second.older == ""


@pytest.mark.parametrize("state", State.values)
def test_it_has_a_page_for_every_state(alice_client: Client, voice: VoiceClone, state: str) -> None:
    job = job_of(voice, state=state, error_sentence="This cannot be done." if state == State.FAILED else "")
    page = alice_client.get(f"/history/{job.pk}/").content.decode()
    assert (f'hx-get="/history/{job.pk}/state/' in page) == (state in SynthesisJob.IN_PROGRESS)
    assert ("This cannot be done." in page) == (state == State.FAILED)
    assert ("/cancel/" in page) == (state in SynthesisJob.IN_PROGRESS)


def test_it_changes_the_card_only_when_the_state_has_changed(alice_client: Client, voice: VoiceClone) -> None:
    job = job_of(voice, state=State.RUNNING)
    assert alice_client.get(f"/history/{job.pk}/state/?seen=Running").status_code == 204
    assert "Speaking" in alice_client.get(f"/history/{job.pk}/state/?seen=Queued").content.decode()


def test_it_plays_and_downloads_the_audio(portal: Portal, alice_client: Client, ready_voice: VoiceClone) -> None:
    answer = streamed(portal, alice_client, wish(ready_voice))
    audio = answer.body
    address = f"/history/{answer.headers['x-job-id']}/audio/"
    part = alice_client.get(address, headers={"range": "bytes=0-3"})
    assert (part.status_code, part.getvalue()) == (206, b"RIFF")
    part.close()
    whole = alice_client.get(f"{address}?download")
    assert whole["Content-Disposition"].startswith('attachment; filename="Annie-')
    assert len(whole.getvalue()) == len(audio)
    whole.close()


def test_it_cancels_what_waits(alice_client: Client, voice: VoiceClone) -> None:
    job = job_of(voice, state=State.QUEUED)
    alice_client.post(f"/history/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_it_speaks_the_same_again_as_a_new_job(alice_client: Client, voice: VoiceClone) -> None:
    job = job_of(voice, state=State.FAILED, options={"rate": 1.5})
    answer = alice_client.post(f"/history/{job.pk}/retry/")
    again = SynthesisJob.objects.exclude(pk=job.pk).get()
    assert answer["Location"] == f"/history/{again.pk}/"
    assert (again.text, again.options, again.state) == (WEATHER, {"rate": 1.5}, State.QUEUED)


def test_it_deletes_text_and_audio(portal: Portal, alice_client: Client, ready_voice: VoiceClone) -> None:
    answer = streamed(portal, alice_client, wish(ready_voice))
    address = f"/history/{answer.headers['x-job-id']}/"
    alice_client.post(f"{address}delete/")
    assert alice_client.get(address).status_code == 404
    assert alice_client.get(f"{address}audio/").status_code == 404


def test_it_says_why_something_that_runs_cannot_be_deleted(alice_client: Client, voice: VoiceClone) -> None:
    job = job_of(voice, state=State.RUNNING)
    here = f"http://testserver/history/{job.pk}/"
    answer = alice_client.post(f"/history/{job.pk}/delete/", headers={"referer": here}, follow=True)
    assert "Cancel it first, then delete it." in answer.content.decode()


def test_it_has_no_audio_of_what_failed(alice_client: Client, voice: VoiceClone) -> None:
    job = job_of(voice, state=State.FAILED)
    assert alice_client.get(f"/history/{job.pk}/audio/").status_code == 404


# --- strangers and visitors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["", "state/", "audio/"])
def test_it_does_not_show_a_stranger_anything(charlie_client: Client, voice: VoiceClone, place: str) -> None:
    assert charlie_client.get(f"/history/{job_of(voice).pk}/{place}").status_code == 404


@pytest.mark.parametrize("place", ["cancel/", "retry/", "delete/"])
def test_it_lets_a_stranger_change_nothing(charlie_client: Client, voice: VoiceClone, place: str) -> None:
    job = job_of(voice, state=State.QUEUED)
    assert charlie_client.post(f"/history/{job.pk}/{place}").status_code == 404
    job.refresh_from_db()
    assert (job.state, job.deleted_at) == (State.QUEUED, None)
    assert SynthesisJob.objects.count() == 1


@pytest.mark.parametrize("place", ["speak/", "speak/count/", "speak/stream/"])
def test_it_does_not_let_a_stranger_speak_with_a_voice(charlie_client: Client, voice: VoiceClone, place: str) -> None:
    assert charlie_client.post(f"/{place}", wish(voice)).status_code == 404
    assert not SynthesisJob.objects.exists()


@pytest.mark.parametrize("named", ["", "nonsense", "00000000-0000-4000-8000-000000000000"])
def test_it_finds_no_voice_by_a_wrong_name(alice_client: Client, voice: VoiceClone, named: str) -> None:
    assert alice_client.post("/speak/stream/", {"voice": named, "text": WEATHER}).status_code == 404


@pytest.mark.parametrize("place", ["speak/", "history/", "dashboard/"])
def test_it_asks_a_visitor_to_log_in(visitor: Client, place: str) -> None:
    assert visitor.get(f"/{place}")["Location"] == f"/accounts/login/?next=/{place}"
