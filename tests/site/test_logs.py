from __future__ import annotations

import itertools
import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core import signing
from django.test import Client

from synthesis import services as synthesis
from tests.cast import token_of
from tests.worker import finish
from voiceclone_site.accounts import tokens
from voiceclone_site.accounts.models import User
from voiceclone_site.logs import JSONFormatter, LineFormatter, RedactSecrets, redact
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import VoiceClone

SIGNED = signing.TimestampSigner(salt="a test").sign("4711")


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the console would show."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LineFormatter())
    handler.addFilter(RedactSecrets())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"got {tokens.Token(text='vcp_AbCd1234_' + 'S' * 49, prefix='AbCd1234').text}", "SSSS"),
        ("Authorization: Bearer abcdefgh12345678.xyz", "abcdefgh12345678"),
        ("{'Authorization': 'Bearer abcdefgh12345678'}", "abcdefgh12345678"),
        ('{"api_key": "k3y-k3y-k3y"}', "k3y-k3y"),
        ("QINIU_TTS_API_KEY=k3y-k3y-k3y", "k3y-k3y"),
        ('{"tts_api_key": "k3y-k3y-k3y"}', "k3y-k3y"),
        ("DASHSCOPE_API_KEY=sk-0123456789abcdef", "0123456789abcdef"),
        ("key sk-sandbox-aliyun-1 rejected", "sandbox-aliyun-1"),
        ("GET /v1?appid=x&signature=AbCdEf%2B%3D%3D&date=1", "AbCdEf"),
        ("wss://host/path?authorization=YXBpX2tleT0iYWJj&host=h", "YXBpX2tleT0"),
        ("Authorization: Qiniu AAAABBBBCCCCDDDDEEEE:ZmFrZXNpZ25hdHVyZQ==", "ZmFrZXNpZ25"),
        ("?X-Amz-Credential=AKIA/20261123&X-Amz-Signature=deadbeef00", "deadbeef00"),
        ("password='correct horse'", "correct"),
        ("Cookie: sessionid=abcdef0123456789; csrftoken=zyxwvu98", "abcdef0123456789"),
        (f"GET /samples/{SIGNED}/a.wav", SIGNED.split(":")[2]),
        (f"GET /samples/{SIGNED.replace(':', '%3A')}/a.wav", SIGNED.split(":")[2]),
        ("GET /accounts/password/reset/key/4-d2n0ab-0f3c/ 200", "d2n0ab-0f3c"),
        ("GET /accounts/confirm-email/MQ:1abc:sig/ 200", "1abc:sig"),
    ],
    # signatures differ from process to process, and pytest-xdist wants the names of tests not to
    ids=itertools.count(),
)
def test_it_hides_a_secret_wherever_it_stands(log: StringIO, line: str, secret: str) -> None:
    logging.getLogger("anything").warning("%s", line)
    assert secret not in log.getvalue()
    assert "[hidden]" in log.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "voice 5f0c2f9e-6d3b-4c7e-9f43-0a8d5f1f2a3b moved from Init to Training",
        "GET /voices/5f0c2f9e-6d3b-4c7e-9f43-0a8d5f1f2a3b/ took 12 ms",
        "12:34:56.789 a task of 3 tokens was queued",
        "vcp_AbCd1234… was revoked",
        "aliyun · rate_limited · Throttling.RateQuota · HTTP 429 · request 0f1e2d3c",
    ],
)
def test_it_leaves_everything_else_alone(line: str) -> None:
    assert redact(line) == line


@pytest.mark.parametrize("part", ["a", "%3A", "a.b-", ":abcdef", "Token ", "Ab cd:", "token="])
def test_it_gets_through_a_line_of_any_length(part: str) -> None:
    """An address of this length that is not found is logged; a pattern that walks back would take hours over it."""
    assert redact(part * 100_000)


def test_it_hides_secrets_in_tracebacks_too(log: StringIO) -> None:
    try:
        raise ValueError("no luck with sk-0123456789abcdef")
    except ValueError:
        logging.getLogger("anything").exception("it failed")
    assert "Traceback" in log.getvalue()
    assert "0123456789abcdef" not in log.getvalue()


def test_it_writes_time_level_logger_and_request(log: StringIO) -> None:
    answer = Client().get("/api/v1/nothing/here", headers={"x-request-id": "trace-0001"})
    assert answer.status_code == 404
    line = next(line for line in log.getvalue().splitlines() if "/api/v1/nothing/here" in line)
    at, level, logger, request_id, _message = line.split(" ", 4)
    assert at.endswith("Z")
    assert (level, logger, request_id) == ("WARNING", "django.request", "[trace-0001]")


def test_it_lets_nobody_forge_a_line(log: StringIO) -> None:
    logging.getLogger("anything").warning("name: %s", "x\n2026-11-23T00:00:00Z INFO root [-] all is well\r\n")
    assert len(log.getvalue().splitlines()) == 1


def test_it_survives_a_record_that_cannot_be_formatted(log: StringIO) -> None:
    record = logging.LogRecord("anything", logging.INFO, "", 0, "plain 100%", None, None)
    assert RedactSecrets().filter(record)
    assert LineFormatter().format(record).endswith("plain 100%")


def test_it_keeps_the_traceback_of_a_chained_error(log: StringIO) -> None:
    try:
        try:
            raise KeyError("token=abcdefghijkl")
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        logging.getLogger("anything").error("both", exc_info=sys.exc_info())
    assert "outer" in log.getvalue()
    assert "abcdefghijkl" not in log.getvalue()


@pytest.fixture
def collected() -> Iterator[StringIO]:
    """What a collector would read with LOG_FORMAT=json."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    handler.addFilter(RedactSecrets())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def lines(collected: StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in collected.getvalue().splitlines()]


def test_it_writes_an_object_a_line_with_the_request_and_who_asked(collected: StringIO, alice: User) -> None:
    token = token_of(alice)
    headers = {"authorization": f"Bearer {token}", "x-request-id": "trace-0002"}
    assert Client().get("/api/v1/voices/5f0c2f9e-6d3b-4c7e-9f43-0a8d5f1f2a3b", headers=headers).status_code == 404
    (line,) = [line for line in lines(collected) if line["logger"] == "django.request"]
    assert line["level"] == "WARNING"
    assert line["at"].endswith("Z")
    assert line["request_id"] == "trace-0002"
    assert line["user"] == str(alice.pk)
    assert token not in collected.getvalue()


def test_it_names_the_row_and_the_providers_request(
    collected: StringIO, sandbox: Sandbox, ready_voice: VoiceClone, alice: User
) -> None:
    sandbox.fail(operation="synthesis", how="error", at="after")
    job = finish(synthesis.submit(synthesis.check(alice, voice=ready_voice, text="Good morning.")))
    logging.getLogger("anything").warning("it ended")
    line = lines(collected)[-1]
    assert (line["job"], line["voice"], line["user"]) == (str(job.pk), str(ready_voice.pk), str(alice.pk))
    assert line["provider_request_id"] == job.provider_request_id != ""
    assert "Good morning" not in collected.getvalue()


@pytest.mark.parametrize("secret", ["sk-0123456789abcdef", "password='correct horse'", "token=abcdefghijkl"])
def test_it_hides_secrets_in_objects_and_their_tracebacks(collected: StringIO, secret: str) -> None:
    try:
        raise ValueError(f"no luck with {secret}")
    except ValueError:
        logging.getLogger("anything").exception("failed: %s\nforged", secret)
    (line,) = lines(collected)
    assert "Traceback" in line["traceback"]
    assert "[hidden]" in line["message"]
    for part in ("0123456789abcdef", "correct", "abcdefghijkl"):
        assert part not in collected.getvalue()
