"""Speech by API: streamed, as a job, and everything it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings as django_settings
from rest_framework.test import APIClient

from synthesis import services
from synthesis.models import SynthesisJob
from tests.cast import program_with, token_of
from tests.listening import listen
from tests.worker import drain
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.sandbox.remote import Sandbox
from voices import ledger, rate
from voices.models import ProviderAccount, VoiceClone

State = SynthesisJob.State

SPEECH, JOBS, USAGE = "/api/v1/speech", "/api/v1/jobs", "/api/v1/usage"
NOWHERE = "00000000-0000-4000-8000-000000000000"
WEATHER = "今天天气怎么样？"
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？"


def order(voice: VoiceClone, /, **changes: Any) -> dict[str, Any]:
    """What speech is ordered with; None leaves a field out."""
    wanted = {"voice": str(voice.pk), "text": WEATHER, **changes}
    return {name: value for name, value in wanted.items() if value is not None}


@pytest.fixture
def voice(alice: User, aliyun_account: ProviderAccount) -> VoiceClone:
    """A voice of Alice's that the portal believes in; the sandbox has never heard of it."""
    return VoiceClone.objects.create(
        owner=alice,
        account=aliyun_account,
        provider="aliyun",
        model="cosyvoice-v3-flash",
        language="en",
        name="Annie",
        state=VoiceClone.State.SUCCESS,
        remote_id="cosyvoice-v3-flash-annie-0",
    )


def jobs(voice: VoiceClone, count: int, **fields: Any) -> list[SynthesisJob]:
    described: dict[str, Any] = {
        "owner": voice.owner,
        "voice": voice,
        "provider": voice.provider,
        "model": voice.model,
        "mode": SynthesisJob.Mode.BACKGROUND,
        "state": State.SUCCESS,
        "audio_format": "mp3",
        "sample_rate": 24000,
        "characters_expected": 15,
        "characters": 15,
        "seconds": 2.0,
    }
    return [SynthesisJob.objects.create(**{**described, "text": f"Text {n}", **fields}) for n in range(count)]


# --- refused --------------------------------------------------------------------------------------------------------


def test_it_says_when_to_come_back_when_there_is_too_much_to_say(alice_api: APIClient, voice: VoiceClone) -> None:
    rate.hold_back(voice.account, "synthesis", seconds=40)
    refusal = alice_api.post(SPEECH, order(voice), format="json")
    assert refusal.status_code == 429
    assert refusal.json()["error"]["code"] == "busy"
    assert 30 <= int(refusal["Retry-After"]) <= 40


# --- what is refused -------------------------------------------------------------------------------------------------

BAD_ORDERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no text": ({"text": None}, 400, "text"),
    "an empty text": ({"text": " \n "}, 400, "text"),
    "a text that is too long": ({"text": "字" * 100_001}, 400, "text"),
    "a text that is none": ({"text": ["a"]}, 400, "text"),
    "half a character": ({"text": "\ud800"}, 400, "text"),
    "no voice": ({"voice": None}, 400, "voice"),
    "another format": ({"format": "aiff"}, 400, "format"),
    "a sample rate in words": ({"sample_rate": "high"}, 400, "sample_rate"),
    "another sample rate": ({"sample_rate": 12345}, 400, "sample_rate"),
    "a sample rate of nothing": ({"sample_rate": 0}, 400, "sample_rate"),
    "a field nobody knows": ({"speed": 2}, 400, "speed"),
    "a parameter nobody knows": ({"parameters": {"loudness": 9}}, 400, "parameters.loudness"),
    "a parameter out of range": ({"parameters": {"rate": 9}}, 400, "parameters.rate"),
    "a parameter in words": ({"parameters": {"rate": "fast"}}, 400, "parameters.rate"),
    "a parameter that is a list": ({"parameters": {"instruction": ["gently"]}}, 400, "parameters.instruction"),
    "a parameter with a NUL": ({"parameters": {"instruction": "a\x00b"}}, 400, "parameters.instruction"),
    "parameters that are a list": ({"parameters": [1]}, 400, "parameters"),
}


@pytest.mark.parametrize("address", [SPEECH, JOBS])
@pytest.mark.parametrize(("changes", "status", "field"), BAD_ORDERS.values(), ids=BAD_ORDERS)
def test_it_names_what_is_wrong_with_an_order(
    alice_api: APIClient, voice: VoiceClone, address: str, changes: dict[str, Any], status: int, field: str
) -> None:
    body = json.dumps(order(voice, **changes))
    refusal = alice_api.post(address, body, content_type="application/json")
    assert refusal.status_code == status
    assert list(refusal.json()["error"]["fields"]) == [field]
    assert not SynthesisJob.objects.exists()


@pytest.mark.parametrize("address", [SPEECH, JOBS])
@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ('{"voice": ', "application/json", 400, "parse_error"),
        ('{"text": NaN}', "application/json", 400, "parse_error"),
        (b"\xff\xfe", "application/json", 400, "parse_error"),
        ('{"text": "a"}', "application/json; charset=rot13", 400, "invalid_input"),
        ("[" * 100_000, "application/json", 400, "parse_error"),
        ("[]", "application/json", 400, "invalid_input"),
        ('"text"', "application/json", 400, "invalid_input"),
        ("", "application/json", 400, "invalid_input"),
        ("voice=a&text=b", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("voice=a&text=b", "text/plain", 415, "unsupported_media_type"),
    ],
)
def test_it_refuses_what_is_no_json(
    alice_api: APIClient, address: str, body: str, content_type: str, status: int, code: str
) -> None:
    refusal = alice_api.post(address, body, content_type=content_type)
    assert refusal.status_code == status
    assert refusal.json()["error"]["code"] == code


def test_it_refuses_a_body_that_is_too_large(alice_api: APIClient) -> None:
    body = json.dumps({"text": "a" * django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    refusal = alice_api.post(SPEECH, body, content_type="application/json")
    assert refusal.status_code == 413
    assert refusal.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize("address", [SPEECH, JOBS])
@pytest.mark.parametrize("state", ["Init", "Training", "Failed", "Expired", "Deleting"])
def test_it_speaks_only_with_a_voice_that_is_ready(
    alice_api: APIClient, voice: VoiceClone, address: str, state: str
) -> None:
    VoiceClone.objects.update(state=state)
    refusal = alice_api.post(address, order(voice), format="json")
    assert refusal.status_code == 409
    assert refusal.json()["error"]["code"] == "voice_not_ready"


@pytest.mark.parametrize("address", [SPEECH, JOBS])
@pytest.mark.parametrize("pk", ["somebody else's", "annie", NOWHERE, ""])
def test_it_lends_nobody_a_voice_that_is_not_theirs(
    charlie_api: APIClient, voice: VoiceClone, address: str, pk: str
) -> None:
    wanted = str(voice.pk) if pk == "somebody else's" else pk
    refusal = charlie_api.post(address, {"voice": wanted, "text": WEATHER}, format="json")
    assert refusal.status_code == (404 if wanted else 400)
    assert not SynthesisJob.objects.exists()


# --- in the background -----------------------------------------------------------------------------------------------


def test_it_speaks_in_the_background(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    made = alice_api.post(JOBS, order(ready_voice, format="wav", parameters={"rate": 1.2}), format="json")
    assert made.status_code == 201
    assert made["Location"] == made.json()["url"]
    assert (made.json()["state"], made.json()["parameters"]) == ("Queued", {"rate": 1.2})

    early = alice_api.get(f"{made['Location']}/audio")
    assert early.status_code == 409
    assert early.json()["error"]["code"] == "audio_not_ready"

    drain()
    job = alice_api.get(made["Location"]).json()
    assert (job["state"], job["characters"]) == ("Success", 15)
    audio = alice_api.get(job["audio"]["url"], headers={"accept": "audio/wav"})
    assert audio["Content-Type"] == job["audio"]["content_type"] == "audio/wav"
    assert listen(audio.getvalue()).duration == pytest.approx(job["seconds"], abs=0.1)
    part = alice_api.get(job["audio"]["url"], headers={"range": "bytes=0-3"})
    assert (part.status_code, part.getvalue()) == (206, b"RIFF")


def test_it_notes_when_each_word_is_spoken(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    made = alice_api.post(JOBS, order(ready_voice, parameters={"word_timestamp_enabled": True}), format="json")
    drain()
    marks = alice_api.get(made["Location"]).json()["marks"]
    assert "今天" in "".join(mark["text"] for mark in marks)
    assert all(mark["begin_ms"] <= mark["end_ms"] for mark in marks)


def test_it_cancels_a_job_that_waits(alice_api: APIClient, voice: VoiceClone, sandbox: Sandbox) -> None:
    made = alice_api.post(JOBS, order(voice), format="json")
    cancelled = alice_api.post(f"{made['Location']}/cancel")
    assert cancelled.status_code == 202
    assert cancelled.json()["state"] == "Cancelled"
    drain()
    assert sandbox.ledger.calls("run-task") == []
    again = alice_api.post(f"{made['Location']}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "wrong_state")


def test_it_has_no_audio_of_what_was_not_spoken_to_its_end(alice_api: APIClient, voice: VoiceClone) -> None:
    (job,) = jobs(voice, 1, state=State.FAILED)
    refusal = alice_api.get(f"{JOBS}/{job.pk}/audio")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (409, "no_audio_kept")


def test_it_speaks_the_same_again_as_a_new_job(alice_api: APIClient, voice: VoiceClone) -> None:
    (old,) = jobs(voice, 1, state=State.FAILED, options={"rate": 1.1}, text=WEATHER)
    made = alice_api.post(f"{JOBS}/{old.pk}/retry")
    assert made.status_code == 201
    assert made.json()["id"] != str(old.pk)
    assert (made.json()["text"], made.json()["parameters"]) == (WEATHER, {"rate": 1.1})


def test_it_does_not_repeat_or_delete_what_is_still_being_spoken(alice_api: APIClient, voice: VoiceClone) -> None:
    (job,) = jobs(voice, 1, state=State.RUNNING)
    assert alice_api.post(f"{JOBS}/{job.pk}/retry").status_code == 409
    assert alice_api.delete(f"{JOBS}/{job.pk}").status_code == 409


def test_it_deletes_a_job_but_counts_it_still(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    made = alice_api.post(JOBS, order(ready_voice), format="json")
    drain()
    assert alice_api.delete(made["Location"]).status_code == 204
    assert alice_api.get(made["Location"]).status_code == 404
    assert SynthesisJob.objects.get().text == ""
    assert alice_api.get(USAGE).json()["characters"] == 15


# --- lists and usage -------------------------------------------------------------------------------------------------


def test_it_lists_my_jobs_newest_first(
    alice_api: APIClient, charlie_api: APIClient, voice: VoiceClone, charlie: User
) -> None:
    jobs(voice, 3)
    jobs(voice, 1, owner=charlie)
    jobs(voice, 1, state=State.FAILED, text="字" * 500)
    listed = alice_api.get(JOBS).json()["results"]
    assert [job["excerpt"] for job in listed] == ["字" * 120, "Text 2", "Text 1", "Text 0"]
    assert "text" not in listed[0]
    failed = alice_api.get(JOBS, {"state": "Failed", "voice": str(voice.pk)}).json()["results"]
    assert [job["state"] for job in failed] == ["Failed"]
    assert alice_api.get(JOBS, {"voice": NOWHERE}).json()["results"] == []


@pytest.mark.parametrize("query", ["state=Sleeping", "voice=annie"])
def test_it_names_the_filter_that_is_wrong(alice_api: APIClient, query: str) -> None:
    refusal = alice_api.get(f"{JOBS}?{query}")
    assert refusal.status_code == 400
    assert list(refusal.json()["error"]["fields"]) == [query.split("=")[0]]


def spoken(voice: VoiceClone, *, owner: User | None = None, token_id: int | None = None) -> None:
    order = services.check(owner or voice.owner, voice=voice, text=WEATHER, token_id=token_id)
    job = services.submit(order)
    ledger.settle_speech(job.pk, characters=15, milliseconds=2000)


def test_it_adds_up_what_was_used(alice_api: APIClient, voice: VoiceClone, charlie: User) -> None:
    token = ApiToken.objects.get(owner=voice.owner)
    for token_id in (None, token.pk, token.pk):
        spoken(voice, token_id=token_id)
    spoken(voice, owner=charlie)
    used = alice_api.get(USAGE, {"days": "1"}).json()
    thrice = {"jobs": 3, "characters": 45, "seconds": 6.0, "trainings": 0, "cost": "0.004500"}
    twice = {"jobs": 2, "characters": 30, "seconds": 4.0, "trainings": 0, "cost": "0.003000"}
    once = {"jobs": 1, "characters": 15, "seconds": 2.0, "trainings": 0, "cost": "0.001500"}
    assert {name: used[name] for name in thrice} == thrice
    assert used["days"] == [{"day": used["since"], "provider": "aliyun", **thrice}]
    assert used["voices"] == [{"voice": str(voice.pk), "name": voice.name, **thrice}]
    assert used["providers"] == [{"provider": "aliyun", **thrice}]
    assert sorted(used["tokens"], key=lambda each: each["jobs"]) == [
        {"token": None, **once},
        {"token": token.name, **twice},
    ]


@pytest.mark.parametrize("days", ["0", "367", "many", "-1"])
def test_it_counts_one_day_to_a_year(alice_api: APIClient, days: str) -> None:
    refusal = alice_api.get(USAGE, {"days": days})
    assert refusal.status_code == 400
    assert list(refusal.json()["error"]["fields"]) == ["days"]


# --- who may ---------------------------------------------------------------------------------------------------------

OF_A_JOB = [
    ("get", "", "jobs:read"),
    ("delete", "", "speech"),
    ("get", "/audio", "jobs:read"),
    ("post", "/cancel", "speech"),
    ("post", "/retry", "speech"),
]
OTHERS = [
    ("post", SPEECH, "speech"),
    ("get", JOBS, "jobs:read"),
    ("post", JOBS, "speech"),
    ("get", USAGE, "usage:read"),
]


@pytest.mark.parametrize(("method", "rest", "_scope"), OF_A_JOB)
@pytest.mark.parametrize("of", ["somebody else", "nobody", "no id"])
def test_it_finds_nothing_for_a_stranger(
    charlie_api: APIClient, voice: VoiceClone, method: str, rest: str, _scope: str, of: str
) -> None:
    (job,) = jobs(voice, 1)
    pk = {"somebody else": str(job.pk), "nobody": NOWHERE, "no id": "last"}[of]
    answer = getattr(charlie_api, method)(f"{JOBS}/{pk}{rest}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert SynthesisJob.objects.get().text == "Text 0"


@pytest.mark.parametrize(
    ("method", "address", "scope"),
    [*((method, f"{JOBS}/{NOWHERE}{rest}", scope) for method, rest, scope in OF_A_JOB), *OTHERS],
)
def test_it_lets_in_who_has_a_token_with_the_scope(
    alice: User, nobody_api: APIClient, method: str, address: str, scope: str
) -> None:
    nameless = getattr(nobody_api, method)(address)
    assert (nameless.status_code, nameless.json()["error"]["code"]) == (401, "token_missing")
    others = {"voices:read", "voices:write", "speech", "jobs:read", "usage:read"} - {scope}
    refused = getattr(program_with(token_of(alice, scopes=others)), method)(address)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope_missing")
