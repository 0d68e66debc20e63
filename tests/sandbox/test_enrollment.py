"""What enrollment refuses, and how a voice becomes ready."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import requests

from tests.recordings import MAN, WOMAN, encoded, reading, recording, silence, tone
from tests.sample_server import Answer, SampleServer
from tests.sandbox_server import ALIYUN_ACCOUNT, ALIYUN_KEY, OTHER_ALIYUN_ACCOUNT, OTHER_ALIYUN_KEY
from voiceclone_site.sandbox.remote import Sandbox
from voiceclone_site.sandbox.speech import espeak

from .enrolling import ask, enroll, post


def create(sandbox: Sandbox, url: str, **given: Any) -> requests.Response:
    asked = {"target_model": "cosyvoice-v2", "prefix": "test", "url": url, **given}
    return ask(sandbox, action="create_voice", **asked)


def code_of(answer: requests.Response) -> str:
    assert answer.headers["Content-Type"].startswith("application/json")
    assert set(answer.json()) == {"code", "message", "request_id"}
    return str(answer.json()["code"])


def noise(seconds: int) -> bytes:
    samples = np.random.default_rng(1).normal(0, 0.2, seconds * 24000).astype(np.float32)
    return encoded(samples, source_rate=24000, format="wav", rate=24000)


def overdriven() -> bytes:
    return encoded(8 * reading(MAN, 12), source_rate=espeak.RATE, format="wav", rate=24000)


SAMPLES: dict[str, tuple[Callable[[], bytes], str, int, int]] = {
    "ogg": (lambda: recording(WOMAN, format="ogg"), "BadRequest.UnsupportedFileFormat", 400, 415),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(4000), "BadRequest.UnsupportedFileFormat", 400, 415),
    "playlist": (lambda: b"#EXTM3U\nhttp://127.0.0.1:1/a.mp3\n", "BadRequest.UnsupportedFileFormat", 400, 415),
    "empty": (lambda: b"", "BadRequest.UnsupportedFileFormat", 400, 415),
    "header-only": (lambda: recording(WOMAN)[:44], "Audio.DecoderError", 400, 430),
    "huge": (lambda: b"RIFF" + bytes(10 * 1024 * 1024 + 1), "Audio.FileSizeExceed", 400, 430),
    "narrow": (lambda: recording(WOMAN, rate=8000), "Audio.AudioRateError", 400, 430),
    "silent": (lambda: silence(12), "Audio.AudioSilentError", 400, 430),
    "short": (lambda: recording(WOMAN, seconds=3), "Audio.AudioShortError", 400, 400),
    "long": (lambda: recording(WOMAN, seconds=70), "Audio.DurationLimitError", 400, 500),
    "tone": (lambda: tone(12), "InternalError", 500, 500),
    "noise": (lambda: noise(12), "InternalError", 500, 500),
    "clipped": (overdriven, "InternalError", 500, 500),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_it_refuses_a_bad_sample_by_its_content(sandbox: Sandbox, samples: SampleServer, name: str) -> None:
    body, code, current, legacy = SAMPLES[name]
    url = samples.url(body())
    refused = create(sandbox, url)
    assert (refused.status_code, code_of(refused)) == (current, code)
    sandbox.configure(profile="legacy")
    assert create(sandbox, url).status_code == legacy
    assert sandbox.voices() == []


@pytest.mark.parametrize("container", ["wav", "mp3", "m4a"])
def test_it_learns_from_wav_mp3_and_m4a(sandbox: Sandbox, samples: SampleServer, container: str) -> None:
    answer = create(sandbox, samples.url(recording(WOMAN, format=container), "application/octet-stream"))
    assert answer.status_code == 200
    assert set(answer.json()) == {"output", "usage", "request_id"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=404), "BadRequest.InputDownloadFailed"),
        (Answer(status=302, location="/0"), "BadRequest.InputDownloadFailed"),
        (Answer(hangs=True), "InvalidURL.Timeout"),
    ],
    ids=["missing", "redirected", "slow"],
)
def test_it_says_why_it_could_not_fetch_the_sample(
    sandbox: Sandbox, samples: SampleServer, answer: Answer, code: str
) -> None:
    sandbox.configure(fetch_seconds=0.2 if answer.hangs else 10)
    refused = create(sandbox, samples.url_of(answer))
    assert code_of(refused) == code
    assert sandbox.ledger.answers("fetch")[0].body["trouble"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1/a.wav", "InvalidURL.ConnectionRefused"),
        ("http://192.0.2.1/a.wav", "InvalidURL"),
        ("http://example.com/a.wav", "InvalidURL"),
        ("file:///etc/hosts", "InvalidURL"),
        ("oss://bucket/a.wav", "InvalidURL"),
        ("no url at all", "InvalidURL"),
        ("data:audio/wav;base64,AAAA", "InvalidURL"),
    ],
)
def test_it_fetches_only_from_this_machine(sandbox: Sandbox, url: str, code: str) -> None:
    assert code_of(create(sandbox, url)) == code


def test_it_takes_a_data_uri_once_that_is_switched_on(sandbox: Sandbox) -> None:
    sandbox.configure(accept_data_uri=True)
    uri = "data:audio/wav;base64," + base64.b64encode(recording(WOMAN)).decode()
    assert create(sandbox, uri).status_code == 200


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"prefix": "Upper"}, "InvalidParameter"),
        ({"prefix": "tencharact"}, "InvalidParameter"),
        ({"prefix": ""}, "InvalidParameter"),
        ({"target_model": "cosyvoice-v9"}, "InvalidParameter"),
        ({"url": ""}, "InvalidParameter"),
        ({"language_hints": "zh"}, "InvalidParameter"),
        ({"max_prompt_audio_length": 31}, "InvalidParameter"),
        ({"enable_preprocess": "yes"}, "InvalidParameter"),
    ],
    ids=str,
)
def test_it_refuses_wrong_fields(sandbox: Sandbox, samples: SampleServer, given: dict[str, Any], code: str) -> None:
    asked = {"target_model": "cosyvoice-v2", "prefix": "test", "url": samples.url(recording(WOMAN)), **given}
    assert code_of(ask(sandbox, action="create_voice", **asked)) == code


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"input": {"action": "list_voice"}}, "BadRequest.EmptyModel", 400),
        ({"model": "voice-enrollment"}, "BadRequest.EmptyInput", 400),
        ({"model": "cosyvoice-v2", "input": {"action": "list_voice"}}, "ModelNotFound", 404),
        ({"model": "voice-enrollment", "input": {"action": "create"}}, "InvalidParameter", 400),
        (["not an object"], "BadRequest.IllegalInput", 400),
    ],
    ids=["no model", "no input", "wrong model", "wrong action", "no object"],
)
def test_it_refuses_a_wrong_envelope(sandbox: Sandbox, body: Any, code: str, status: int) -> None:
    refused = post(sandbox, body)
    assert (code_of(refused), refused.status_code) == (code, status)


def test_it_does_not_require_parameters_and_accepts_them_empty(sandbox: Sandbox) -> None:
    body = {"model": "voice-enrollment", "parameters": {}, "input": {"action": "list_voice"}}
    assert post(sandbox, body).json()["output"] == {"voice_list": []}


def test_it_pages_through_voices_newest_first(sandbox: Sandbox, samples: SampleServer) -> None:
    made = [enroll(sandbox, samples, prefix=prefix) for prefix in ("a", "b", "a")]

    def listed(**given: Any) -> list[str]:
        output = ask(sandbox, action="list_voice", **given).json()["output"]
        return [voice["voice_id"] for voice in output["voice_list"]]

    assert listed() == made[::-1]
    assert listed(page_index=1, page_size=2) == [made[0]]
    assert listed(page_index=9, page_size=2) == []
    assert listed(prefix="a") == [made[2], made[0]]


def test_it_deploys_a_voice_after_the_training_time(sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(train_seconds=0.8)
    voice = enroll(sandbox, samples)
    assert ask(sandbox, action="query_voice", voice_id=voice).json()["output"]["status"] == "DEPLOYING"
    deadline = time.monotonic() + 10
    while (status := ask(sandbox, action="query_voice", voice_id=voice).json()["output"]["status"]) == "DEPLOYING":
        assert time.monotonic() < deadline
    assert status == "OK"


def test_it_lets_a_test_reject_a_voice_that_was_ok(sandbox: Sandbox, samples: SampleServer) -> None:
    voice = enroll(sandbox, samples)
    sandbox.set_status(voice, "UNDEPLOYED")
    assert ask(sandbox, action="query_voice", voice_id=voice).json()["output"]["status"] == "UNDEPLOYED"


def test_it_holds_a_voice_in_training_until_it_is_told_otherwise(sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(train_seconds=600)
    voice = enroll(sandbox, samples)
    sandbox.set_status(voice, "OK")
    assert ask(sandbox, action="query_voice", voice_id=voice).json()["output"]["status"] == "OK"


def test_it_gives_each_account_its_own_quota(sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(quota=1)
    first = enroll(sandbox, samples)
    refused = create(sandbox, samples.url(recording(WOMAN)))
    assert (refused.status_code, code_of(refused)) == (400, "Throttling.AllocationQuota")
    assert "1" in refused.json()["message"]
    enroll(sandbox, samples, key=OTHER_ALIYUN_KEY)
    ask(sandbox, action="delete_voice", voice_id=first)
    assert create(sandbox, samples.url(recording(WOMAN))).status_code == 200


def test_it_hides_one_accounts_voice_from_another(sandbox: Sandbox, samples: SampleServer) -> None:
    voice = enroll(sandbox, samples)
    for action in ("query_voice", "update_voice", "delete_voice"):
        url = samples.url(recording(WOMAN))
        refused = ask(sandbox, key=OTHER_ALIYUN_KEY, action=action, voice_id=voice, url=url)
        assert code_of(refused) == "BadRequest.ResourceNotExist"
    assert [found["voice_id"] for found in sandbox.voices(ALIYUN_ACCOUNT)] == [voice]
    assert sandbox.voices(OTHER_ALIYUN_ACCOUNT) == []


def test_it_limits_enrollment_calls_by_account(sandbox: Sandbox) -> None:
    sandbox.configure(enrollment_rate=2)
    answers = [ask(sandbox, action="list_voice") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert code_of(answers[-1]) == "Throttling.RateQuota"
    assert ask(sandbox, key=OTHER_ALIYUN_KEY, action="list_voice").status_code == 200


def test_it_records_calls_without_the_key(sandbox: Sandbox, samples: SampleServer) -> None:
    voice = enroll(sandbox, samples)
    ask(sandbox, action="delete_voice", voice_id=voice)
    (call,) = sandbox.ledger.calls("create_voice", ALIYUN_ACCOUNT)
    assert call.body["input"]["prefix"] == "test"
    assert ALIYUN_KEY not in str(sandbox.ledger.entries())
    assert sandbox.ledger.created(ALIYUN_ACCOUNT) == sandbox.ledger.deleted(ALIYUN_ACCOUNT) == [voice]
    (fetched,) = sandbox.ledger.answers("fetch")
    assert fetched.body["content_type"] == "audio/wav"
    assert fetched.body["bytes"] == fetched.body["content_length"] == len(recording(WOMAN))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer sk-nobody", "Basic sk-sandbox-aliyun-1"])
def test_it_lets_nobody_in_without_a_key(sandbox: Sandbox, header: str) -> None:
    url = f"{sandbox.aliyun_http}/services/audio/tts/customization"
    body = {"model": "voice-enrollment", "input": {"action": "list_voice"}}
    refused = requests.post(url, json=body, headers={"Authorization": header}, timeout=5)
    assert (refused.status_code, code_of(refused)) == (401, "InvalidApiKey")


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "sandbox.example"},
        {"Host": "10.0.0.7:8100"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_it_answers_only_this_machine_under_its_own_name(sandbox: Sandbox, header: dict[str, str]) -> None:
    answer = requests.get(f"{sandbox.origin}/_sandbox/health", headers=header, timeout=5)
    assert answer.status_code == 403
