"""Recordings and speech in a bucket instead of on this machine's disk."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.core import checks
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from synthesis import services as synthesis
from tests.bucket import Bucket
from tests.listening import listen
from tests.site.test_settings import setting
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voiceclone_site.object_storage import PrivateBucket
from voices import samples
from voices import services as voices
from voices.models import ProviderAccount, VoiceClone

Order = Callable[..., VoiceClone]

KODO = {
    "S3_BUCKET": "recordings",
    "S3_ENDPOINT_URL": "https://s3.cn-east-1.qiniucs.com",
    "S3_REGION": "cn-east-1",
    "S3_ACCESS_KEY": "AK",
    "S3_SECRET_KEY": "SK",
}
OSS = {
    "S3_BUCKET": "recordings",
    "S3_ENDPOINT_URL": "https://s3.oss-cn-hangzhou.aliyuncs.com",
    "S3_REGION": "cn-hangzhou",
    "S3_ACCESS_KEY": "AK",
    "S3_SECRET_KEY": "SK",
    "S3_SIGNATURE": "s3",
    "S3_ADDRESSING": "virtual",
}


def test_it_keeps_speaks_and_erases_a_voice_in_a_bucket(
    order_voice: Order, bucket: Bucket, alice_client: Client, alice: User, settings: Settings
) -> None:
    voice = order_voice()
    assert [name.split("/")[:3] for name in bucket.names()] == [["voices", "samples", str(voice.pk)]] * 2
    assert finish(voice).state == VoiceClone.State.SUCCESS
    job = synthesis.submit(synthesis.check(alice, voice=voice, text="Good morning."))
    assert finish(job).state == "Success", job.error_detail
    address = f"/api/v1/jobs/{job.pk}/audio"
    whole = alice_client.get(address)
    sound = whole.getvalue()
    assert listen(sound).rate == job.sample_rate
    part = alice_client.get(address, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.getvalue(), part["Content-Range"]) == (
        206,
        sound[100:200],
        f"bytes 100-199/{len(sound)}",
    )
    synthesis.delete(job)
    voices.request_delete(voice)
    finish(voice)
    assert bucket.names() == []
    assert not Path(settings.MEDIA_ROOT).exists()
    assert not list((Path(settings.DATA_DIR) / "spool").iterdir())


def test_it_refuses_what_is_gone_from_the_bucket(order_voice: Order, bucket: Bucket, alice_client: Client) -> None:
    voice = order_voice()
    for name in bucket.names():
        bucket.client.delete_object(Bucket=bucket.name, Key=name)
    assert alice_client.get(f"/api/v1/voices/{voice.pk}/sample").status_code == 404


def test_it_stores_the_true_content_type(order_voice: Order, bucket: Bucket) -> None:
    order_voice()
    assert {bucket.content_type(name) for name in bucket.names()} == {"audio/wav"}


def test_it_hands_a_provider_a_signed_address_of_the_bucket(
    order_voice: Order, bucket: Bucket, settings: Settings
) -> None:
    settings.SAMPLE_URLS = "storage"
    sample = order_voice().sample
    assert sample is not None
    assert samples.sample_url(sample).startswith(settings.LOOPBACK_BASE_URL), "the sandbox fetches from here"
    sample.voice.account.origin = ProviderAccount.Origin.ADMIN
    url = samples.sample_url(sample)
    assert url.startswith(f"{bucket.endpoint}/{bucket.name}/voices/samples/")
    assert urlsplit(url).path.endswith(".wav")
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [str(settings.SAMPLE_URL_SECONDS)]
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/wav")
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert listen(answer.content).rate == 24000


@pytest.mark.parametrize(
    ("environment", "host", "path", "keys"),
    [
        (
            KODO,
            "s3.cn-east-1.qiniucs.com",
            "/recordings/samples/a.wav",
            {
                "X-Amz-Algorithm",
                "X-Amz-Credential",
                "X-Amz-Date",
                "X-Amz-Expires",
                "X-Amz-SignedHeaders",
                "X-Amz-Signature",
            },
        ),
        (
            OSS,
            "recordings.s3.oss-cn-hangzhou.aliyuncs.com",
            "/samples/a.wav",
            {"AWSAccessKeyId", "Signature", "Expires"},
        ),
    ],
    ids=["kodo", "oss"],
)
def test_it_signs_as_each_storage_wants_it(
    tmp_path: Path, environment: dict[str, str], host: str, path: str, keys: set[str]
) -> None:
    options = eval(  # noqa: S307 — our own settings, printed by a Python of ours
        setting("settings.STORAGES['default']['OPTIONS']", DATA_DIR=str(tmp_path), **environment)
    )
    url = urlsplit(PrivateBucket(**options).url("samples/a.wav", expire=900))
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path, set(query)) == ("https", host, path, keys)
    until = (
        int(query["Expires"][0])
        if "Expires" in query
        else datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        + int(query["X-Amz-Expires"][0])
    )
    assert abs(until - time.time() - 900) < 60


@pytest.mark.parametrize(
    ("environment", "complains"),
    [
        ({}, False),
        ({"SAMPLE_URLS": "storage"}, True),
        ({"SAMPLE_URLS": "bucket", **KODO}, True),
        ({"SAMPLE_URLS": "storage", **KODO}, False),
        ({"SAMPLE_URLS": "storage", **KODO, "S3_ENDPOINT_URL": "http://storage.example.com"}, True),
    ],
)
def test_it_says_when_no_provider_could_fetch_a_sample(
    tmp_path: Path, settings: Settings, environment: dict[str, str], complains: bool
) -> None:
    for name in ("SAMPLE_URLS", "S3_BUCKET", "S3_ENDPOINT_URL"):
        value = setting(f"repr(settings.{name})", DATA_DIR=str(tmp_path), **environment)
        setattr(settings, name, ast.literal_eval(value))
    assert ("voices.E003" in {message.id for message in checks.run_checks()}) is complains


@pytest.mark.usefixtures("bucket")
def test_it_checks_a_bucket_from_end_to_end_and_shows_no_signature() -> None:
    said = StringIO()
    call_command("check_storage", stdout=said)
    assert "Fetched from http://127.0.0.1" in said.getvalue()
    assert "All is well" in said.getvalue()
    assert "Signature" not in said.getvalue()


def test_it_checks_the_disk_too() -> None:
    said = StringIO()
    call_command("check_storage", stdout=said)
    assert said.getvalue() == "Stored, and read again.\nDeleted. All is well.\n"


def test_it_says_when_the_bucket_does_not_exist(bucket: Bucket) -> None:
    bucket.client.delete_bucket(Bucket=bucket.name)
    with pytest.raises(CommandError, match=r"Nothing can be stored: .*NoSuchBucket"):
        call_command("check_storage", stdout=StringIO())


def test_it_needs_no_bucket_and_loads_nothing_of_it(tmp_path: Path) -> None:
    expression = "settings.STORAGES['default']['BACKEND'], 'boto3' in __import__('sys').modules"
    assert setting(expression, DATA_DIR=str(tmp_path)) == "voiceclone_site.private_disk.PrivateDisk False"
