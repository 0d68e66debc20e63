"""A voice that answers repeats: what it has said is heard again from what was kept, for nothing; what is no repeat is spoken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from synthesis import job_services, keeping_services, services
from synthesis.models import SynthesisJob
from tests.bucket import Bucket
from tests.cast import token_of
from tests.front import Answer, Portal, hang_up_after
from tests.listening import listen
from tests.synthesis.test_relay import request
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import issue_token
from voiceclone_site.sandbox.remote import Sandbox
from voices import books, plans
from voices import services as voices
from voices.models import LedgerEntry, ProviderAccount, VoiceClone, WebhookDelivery, WebhookEndpoint

State = SynthesisJob.State

SPEECH, JOBS = "/api/v1/speech", "/api/v1/jobs"
WEATHER = "今天天气怎么样？"
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？"

Ask = Callable[..., Answer]


@pytest.fixture
def token(alice: User) -> str:
    return token_of(alice)


@pytest.fixture
def voice(ready_voice: VoiceClone) -> VoiceClone:
    """Alice's, and it answers repeats."""
    voices.answer_repeats(ready_voice, on=True)
    return ready_voice


@pytest.fixture
def ask(portal: Portal, token: str, ready_voice: VoiceClone) -> Ask:
    def speak(text: str = WEATHER, *, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
        answer = portal.ask(
            SPEECH, {"voice": str(ready_voice.pk), "text": text, **changes}, token=token, headers=headers
        )
        portal.until_quiet()
        return answer

    return speak


def is_repeat(answer: Answer) -> bool:
    assert (answer.status, answer.broken) == (200, False), answer.body[:500]
    return answer.headers.get("x-voice-repeat") == "hit"


def spoken(sandbox: Sandbox) -> int:
    """How often the provider was asked to speak."""
    return len(sandbox.ledger.calls("run-task"))


def order(voice: VoiceClone, text: str = WEATHER, **changes: Any) -> services.SpeechOrder:
    return services.check(voice.owner, voice=voice, text=text, **changes)


def submitted(voice: VoiceClone, text: str = WEATHER, **changes: Any) -> SynthesisJob:
    wanted = order(voice, text, **changes)
    return services.submit(wanted, of=services.kept_for(wanted))


# --- heard again -----------------------------------------------------------------------------------------------------


def doors(voice: VoiceClone) -> dict[str, tuple[str, dict[str, Any]]]:
    chosen = f"/v1/text-to-speech/{voice.pk}"
    said = {"model": "tts-1", "voice": str(voice.pk), "input": WEATHER}
    return {
        "native": (SPEECH, {"voice": str(voice.pk), "text": WEATHER, "format": "mp3"}),
        "native, encoded": (SPEECH, {"voice": str(voice.pk), "text": WEATHER, "format": "flac"}),
        "openai": ("/v1/audio/speech", {**said, "response_format": "mp3"}),
        "openai, faster than the provider can": ("/v1/audio/speech", {**said, "response_format": "aac", "speed": 3}),
        "elevenlabs": (chosen, {"text": WEATHER}),
        "elevenlabs, with times": (f"{chosen}/with-timestamps", {"text": WEATHER}),
    }


def test_it_is_the_same_bytes_at_every_door_and_costs_nothing(
    portal: Portal, token: str, voice: VoiceClone, sandbox: Sandbox
) -> None:
    for door, (path, body) in doors(voice).items():
        first = portal.ask(path, body, token=token)
        portal.until_quiet()
        entries, asked = LedgerEntry.objects.count(), spoken(sandbox)
        again = portal.ask(path, body, token=token)
        portal.until_quiet()
        assert [is_repeat(first), is_repeat(again)] == [False, True], door
        assert again.body == first.body, door
        assert door != "elevenlabs, with times" or again.json()["alignment"]["characters"]
        assert again.headers["content-type"] == first.headers["content-type"]
        assert (LedgerEntry.objects.count(), spoken(sandbox)) == (entries, asked)
        repeat, job = SynthesisJob.objects.order_by("-created_at")[:2]
        assert (repeat.repeat_of, repeat.state, repeat.mode, repeat.characters) == (job, State.SUCCESS, "stream", 0)
        assert (repeat.seconds, repeat.marks, repeat.text) == (job.seconds, job.marks, job.text)
        assert [event.kind for event in repeat.events.all()] == ["repeated"]
        # The next door is to hear it spoken, whatever the one before has kept.
        voices.answer_repeats(voice, on=False)
        voices.answer_repeats(voice, on=True)
    assert list(books.discrepancies()) == []


def test_what_it_costs_is_told_in_each_dialects_words(portal: Portal, token: str, voice: VoiceClone) -> None:
    asked = {
        "x-characters": ("/v1/audio/speech", {"model": "tts-1", "voice": str(voice.pk), "input": WEATHER}),
        "character-cost": (f"/v1/text-to-speech/{voice.pk}", {"text": WEATHER}),
    }
    for header, (path, body) in asked.items():
        costs = []
        for _time in range(2):
            costs.append(portal.ask(path, body, token=token).headers[header])
            portal.until_quiet()
        assert costs == ["15", "0"]


def test_the_page_and_a_key_of_ones_own_repeat_too(
    portal: Portal, alice_client: Client, ask: Ask, voice: VoiceClone, sandbox: Sandbox
) -> None:
    form = {"voice": str(voice.pk), "text": "hello"}
    for heard_again in (False, True):
        assert is_repeat(portal.submit("/speak/stream/", form, browser=alice_client)) is heard_again
        portal.until_quiet()
    assert is_repeat(ask("hello", format="wav", headers={"Idempotency-Key": "k-1"}))
    replayed = ask("hello", format="wav", headers={"Idempotency-Key": "k-1"})
    assert replayed.headers["idempotency-replayed"] == "true"
    assert SynthesisJob.objects.filter(repeat_of__isnull=False).count() == 2
    assert spoken(sandbox) == 1


def test_it_is_heard_from_a_bucket(bucket: Bucket, ask: Ask, voice: VoiceClone, sandbox: Sandbox) -> None:
    first, again = ask(STORY, format="wav"), ask(STORY, format="wav")
    assert is_repeat(again)
    # The file says how long it is; the stream did not know it yet.
    assert again.body[44:] == first.body[44:]
    job = SynthesisJob.objects.get(repeat_of=None)
    with job.audio.open("rb") as kept:
        assert kept.read() == again.body
    assert spoken(sandbox) == 1


def test_a_job_in_the_background_is_done_as_it_begins(
    alice_api: APIClient, alice: User, voice: VoiceClone, sandbox: Sandbox
) -> None:
    WebhookEndpoint.objects.create(owner=alice, url="https://example.com/", events=["job.done"])
    body = {"voice": str(voice.pk), "text": STORY, "format": "flac"}
    first = alice_api.post(JOBS, body, format="json").json()
    drain()
    again = alice_api.post(JOBS, body, format="json").json()
    assert (again["state"], again["repeat_of"], again["characters"]) == ("Success", first["id"], 0)
    audio = [
        b"".join(alice_api.get(f"{JOBS}/{job['id']}/audio").streaming_content)  # type: ignore[attr-defined]
        for job in (first, again)
    ]
    assert audio[0] == audio[1]
    batch = alice_api.post(f"{JOBS}/batch", {**body, "text": None, "texts": [STORY, WEATHER]}, format="json")
    assert batch.status_code == 400  # text is no field of a batch
    del body["text"]
    batch = alice_api.post(f"{JOBS}/batch", {**body, "texts": [STORY, WEATHER]}, format="json")
    assert [job["repeat_of"] for job in batch.json()["jobs"]] == [first["id"], None]
    assert spoken(sandbox) == 1
    told = WebhookDelivery.objects.filter(event="job.done").count()
    assert told == 3


def test_it_is_answered_when_nothing_could_be_spoken(
    ask: Ask, voice: VoiceClone, alice: User, aliyun_account: ProviderAccount
) -> None:
    assert not is_repeat(ask())
    plans.change_allowance(alice, by=None, characters_per_month=0)
    ProviderAccount.objects.filter(pk=aliyun_account.pk).update(
        circuit="open", circuit_next_at=timezone.now() + timedelta(hours=1)
    )
    assert ask("Something else.").status in {429, 503}
    assert is_repeat(ask())


# --- what is no repeat -----------------------------------------------------------------------------------------------


def test_another_wish_is_spoken(ask: Ask, voice: VoiceClone, sandbox: Sandbox) -> None:
    assert not is_repeat(ask())
    others: list[dict[str, Any]] = [
        {"text": WEATHER + "！"},
        {"text": "今天天气怎么样"},
        {"parameters": {"rate": 1.1}},
        {"parameters": {"volume": 51}},
        {"parameters": {"seed": 7}},
        {"format": "wav"},
        {"sample_rate": 16000},
    ]
    for told, other in enumerate(others, 2):
        assert not is_repeat(ask(**other)), other
        assert spoken(sandbox) == told
    assert is_repeat(ask())


def test_another_voice_of_the_same_owner_speaks_for_itself(
    ask: Ask, portal: Portal, token: str, voice: VoiceClone, order_voice: Callable[..., VoiceClone]
) -> None:
    assert not is_repeat(ask())
    other = finish(order_voice(name="Bea"))
    voices.answer_repeats(other, on=True)
    assert not is_repeat(portal.ask(SPEECH, {"voice": str(other.pk), "text": WEATHER}, token=token))


def test_a_stranger_hears_nothing_of_it(
    ask: Ask, portal: Portal, voice: VoiceClone, charlie: User, sandbox: Sandbox
) -> None:
    assert not is_repeat(ask())
    body = {"voice": str(voice.pk), "text": WEATHER}
    assert portal.ask(SPEECH, body, token=token_of(charlie)).status == 404
    # As if the voice were his now: what was said for somebody else is not found, whatever the row says of repeats.
    VoiceClone.objects.filter(pk=voice.pk).update(owner=charlie)
    assert not is_repeat(portal.ask(SPEECH, body, token=token_of(charlie)))
    portal.until_quiet()
    assert spoken(sandbox) == 2


def test_without_the_switch_everything_is_spoken_and_nothing_is_looked_up(
    ask: Ask, ready_voice: VoiceClone, sandbox: Sandbox, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert [is_repeat(ask()) for _time in range(2)] == [False, False]
    assert spoken(sandbox) == 2
    assert not SynthesisJob.objects.filter(repeat_key__isnull=False).exists()
    wanted = order(ready_voice)
    with django_assert_num_queries(0):
        assert services.said_before(wanted) is None
        assert services.kept_for(wanted) is None


def test_switched_off_and_on_it_begins_anew(ask: Ask, voice: VoiceClone) -> None:
    assert not is_repeat(ask())
    voices.answer_repeats(voice, on=False)
    assert not is_repeat(ask())
    voices.answer_repeats(voice, on=True)
    assert [is_repeat(ask()) for _time in range(2)] == [False, True]


def test_a_voice_that_was_trained_again_never_answers_with_its_old_sound(ask: Ask, voice: VoiceClone) -> None:
    assert not is_repeat(ask())
    voices.retrain(voice)
    assert finish(voice).state == VoiceClone.State.SUCCESS
    assert [is_repeat(ask()) for _time in range(2)] == [False, True]


@pytest.mark.parametrize("how", ["the provider breaks off", "the listener leaves", "somebody cancels"])
def test_what_was_not_spoken_to_its_end_is_never_a_repeat(
    ask: Ask, portal: Portal, token: str, voice: VoiceClone, sandbox: Sandbox, how: str
) -> None:
    if how == "the provider breaks off":
        sandbox.fail(operation="synthesis", how="drop", at="after")
        assert ask(STORY).broken
    elif how == "the listener leaves":
        sandbox.configure(speed=2)
        sock = portal.connect()
        sock.sendall(request(SPEECH, token, f'{{"voice": "{voice.pk}", "text": "{STORY}"}}'.encode()))
        hang_up_after(sock, 1)
        portal.until_quiet()
        sandbox.configure(speed=100)
    else:
        services.cancel(services.submit(order(voice, STORY)))
    assert SynthesisJob.objects.get().state in {State.FAILED, State.CANCELLED}
    assert not is_repeat(ask(STORY))


def test_what_has_to_be_spoken_anew_is(voice: VoiceClone, sandbox: Sandbox, alice: User) -> None:
    job = finish(submitted(voice, keeping_services.TEXT))
    assert submitted(voice, keeping_services.TEXT).is_repeat
    for anew in (keeping_services.keep_alive(voice, asked_by=alice), job_services.retry(job)):
        assert not finish(anew).is_repeat
    assert spoken(sandbox) == 3


# --- what becomes of the audio ---------------------------------------------------------------------------------------


def test_with_the_audio_its_repeats_go_and_the_next_is_spoken(
    ask: Ask, alice_api: APIClient, alice_client: Client, voice: VoiceClone, sandbox: Sandbox
) -> None:
    assert [is_repeat(ask()) for _time in range(2)] == [False, True]
    repeat = SynthesisJob.objects.get(repeat_of__isnull=False)
    assert "a repeat, answered with kept audio" in alice_client.get(f"/history/{repeat.pk}/").content.decode()
    services.delete(SynthesisJob.objects.get(repeat_of=None))
    gone = alice_api.get(f"{JOBS}/{repeat.pk}/audio")
    assert (gone.status_code, gone.json()["error"]["code"]) == (409, "no_audio_kept")
    assert "deleted with the text" in gone.json()["error"]["message"]
    assert "whose audio was deleted" in alice_client.get(f"/history/{repeat.pk}/").content.decode()
    assert [is_repeat(ask()) for _time in range(2)] == [False, True]
    assert spoken(sandbox) == 2
    assert list(books.discrepancies()) == []


def test_a_repeat_that_is_deleted_leaves_the_audio_to_whom_it_belongs(ask: Ask, voice: VoiceClone) -> None:
    assert [is_repeat(ask()) for _time in range(2)] == [False, True]
    services.delete(SynthesisJob.objects.get(repeat_of__isnull=False))
    assert is_repeat(ask())
    job = SynthesisJob.objects.get(repeat_of=None)
    with job.audio.open("rb") as kept:
        assert listen(kept.read()).duration > 0.5


@pytest.mark.parametrize("when", ["before anybody asks", "while it is being answered"])
def test_a_file_that_is_lost_is_spoken_again(ask: Ask, voice: VoiceClone, sandbox: Sandbox, when: str) -> None:
    assert not is_repeat(ask())
    job = SynthesisJob.objects.get()
    wanted = order(voice)
    if when == "while it is being answered":
        found = services.kept_for(wanted)
        services.delete(job)
        assert not services.begin(wanted, of=found).job.is_repeat
    else:
        job.audio.storage.delete(job.audio.name or "")
        assert [is_repeat(ask()) for _time in range(2)] == [False, True]
        assert spoken(sandbox) == 2


def test_a_voice_that_is_deleted_answers_no_more(ask: Ask, voice: VoiceClone) -> None:
    assert not is_repeat(ask())
    voices.request_delete(voice)
    assert ask().status == 409


def test_requests_are_counted_all_the_same(portal: Portal, alice: User, voice: VoiceClone) -> None:
    _row, issued = issue_token(alice, name="two", scopes=["speech"], expires_at=None, requests_per_minute=2)
    answers = []
    for _time in range(3):
        answers.append(portal.ask(SPEECH, {"voice": str(voice.pk), "text": WEATHER}, token=issued.text))
        portal.until_quiet()
    assert [answer.status for answer in answers] == [200, 200, 429]


def test_who_leaves_in_the_middle_of_a_repeat_leaves_nothing_behind(
    ask: Ask, portal: Portal, token: str, voice: VoiceClone
) -> None:
    assert not is_repeat(ask(STORY * 6, format="wav", sample_rate=48000))
    body = f'{{"voice": "{voice.pk}", "text": "{STORY * 6}", "format": "wav", "sample_rate": 48000}}'
    sock = portal.connect()
    sock.sendall(request(SPEECH, token, body.encode()))
    assert b"x-voice-repeat: hit" in hang_up_after(sock, 1)
    portal.until_quiet()
    assert SynthesisJob.objects.get(repeat_of__isnull=False).state == State.SUCCESS
    assert list(books.discrepancies()) == []
