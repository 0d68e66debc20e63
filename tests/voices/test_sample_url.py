"""The address that a provider fetches a sample from."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.core import checks
from django.core.signing import TimestampSigner
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tests.listening import listen
from voices import samples
from voices.models import ProviderAccount, VoiceClone, VoiceSample

Order = Callable[..., VoiceClone]
NOTHING = (404, "text/plain", b"Nothing here.\n")


@pytest.fixture
def sample(order_voice: Order) -> VoiceSample:
    made = order_voice().sample
    assert made is not None
    return made


@pytest.fixture
def provider() -> Client:
    """It has no cookies, no language, and does not follow redirects."""
    return Client()


def path_of(sample: VoiceSample) -> str:
    return samples.sample_url(sample).removeprefix(django_settings.PUBLIC_BASE_URL)


def stored(sample: VoiceSample) -> bytes:
    with sample.prepared.open("rb") as file:
        data: bytes = file.read()
    return data


def answer(client: Client, path: str) -> tuple[int, str, bytes]:
    response = client.get(path)
    return response.status_code, response["Content-Type"], response.getvalue()


def test_it_is_absolute_and_ends_in_wav(sample: VoiceSample, settings: Settings) -> None:
    settings.PUBLIC_BASE_URL = "https://voices.example.com"
    sample.voice.account.origin = ProviderAccount.Origin.ADMIN
    url = samples.sample_url(sample)
    assert re.fullmatch(r"https://voices\.example\.com/samples/[\x21-\x7e]+/[0-9a-f]{32}\.wav", url)


def test_it_is_on_this_machine_for_the_sandbox(sample: VoiceSample, settings: Settings) -> None:
    settings.PUBLIC_BASE_URL = "https://voices.example.com"
    assert samples.sample_url(sample).startswith(f"{settings.LOOPBACK_BASE_URL}/samples/")


def test_it_serves_the_prepared_file_to_anybody_who_holds_it(sample: VoiceSample, provider: Client) -> None:
    response = provider.get(path_of(sample))
    body = response.getvalue()
    assert response.status_code == 200
    assert body == stored(sample)
    assert listen(body).rate == 24000
    assert response["Content-Type"] == "audio/wav"
    assert response["Content-Length"] == str(len(body))
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies
    assert "Location" not in response


def test_it_answers_head_with_the_length_alone(sample: VoiceSample, provider: Client) -> None:
    response = provider.head(path_of(sample))
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(stored(sample)))
    assert response.getvalue() == b""


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=100-", 100, None), ("bytes=-50", -50, None), ("bytes=44-99999999", 44, None)],
)
def test_it_serves_a_range(sample: VoiceSample, provider: Client, asked: str, first: int, last: int | None) -> None:
    whole = stored(sample)
    expected = whole[first:] if last is None else whole[first : last + 1]
    response = provider.get(path_of(sample), headers={"range": asked})
    assert response.status_code == 206
    assert response.getvalue() == expected
    assert response["Content-Length"] == str(len(expected))
    start = first % len(whole)
    assert response["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-2", "lines=1-2", "bytes=", "bytes=a-b", "bytes=-"])
def test_it_serves_the_whole_when_a_range_makes_no_sense(sample: VoiceSample, provider: Client, asked: str) -> None:
    response = provider.get(path_of(sample), headers={"range": asked})
    assert response.status_code == 200
    assert response.getvalue() == stored(sample)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_it_refuses_a_range_beyond_the_end(sample: VoiceSample, provider: Client, asked: str) -> None:
    response = provider.get(path_of(sample), headers={"range": asked})
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{len(stored(sample))}"


def test_it_serves_nothing_under_another_name(sample: VoiceSample, provider: Client) -> None:
    path = path_of(sample)
    token = path.split("/")[2]
    original = str(sample.original.name).rsplit("/", 1)[-1]
    assert answer(provider, f"/samples/{token}/{original}") == NOTHING
    assert answer(provider, f"/samples/{token}/{'0' * 32}.wav") == NOTHING
    assert provider.get(f"/samples/{token}/../{original}").status_code == 404


def test_it_serves_nothing_to_a_forged_token(sample: VoiceSample, provider: Client) -> None:
    token, name = path_of(sample).split("/")[2:]
    for forged in (
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        "1" + token,
        token.split(":")[0],
        TimestampSigner(salt="something else").sign(str(sample.pk)),
        "x",
    ):
        assert answer(provider, f"/samples/{forged}/{name}") == NOTHING


def test_it_asks_the_database_nothing_about_a_forged_token(
    provider: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert answer(provider, "/samples/1:2:3/x.wav") == NOTHING


def test_it_expires(sample: VoiceSample, provider: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path, signed_at = path_of(sample), time.time()
    monkeypatch.setattr(time, "time", lambda: signed_at + django_settings.SAMPLE_URL_SECONDS - 5)
    assert answer(provider, path)[0] == 200
    monkeypatch.setattr(time, "time", lambda: signed_at + django_settings.SAMPLE_URL_SECONDS + 5)
    assert answer(provider, path) == NOTHING
    with pytest.raises(VoiceSample.DoesNotExist):
        samples.sample_behind(path.split("/")[2])


def test_it_dies_with_the_sample(sample: VoiceSample, provider: Client) -> None:
    path = path_of(sample)
    VoiceSample.objects.filter(pk=sample.pk).update(erased_at=timezone.now() - timedelta(seconds=1))
    assert answer(provider, path) == NOTHING


def test_it_dies_with_the_file(sample: VoiceSample, provider: Client) -> None:
    path = path_of(sample)
    sample.prepared.storage.delete(str(sample.prepared.name))
    assert answer(provider, path) == NOTHING


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
def test_it_only_reads(sample: VoiceSample, method: str) -> None:
    response = getattr(Client(enforce_csrf_checks=True), method)(path_of(sample))
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"


def test_it_is_served_to_a_stranger_in_no_other_way(sample: VoiceSample, charlie_client: Client) -> None:
    assert charlie_client.get(f"/{sample.prepared.name}").status_code == 404
    assert charlie_client.get(f"/media/{sample.prepared.name}").status_code == 404


@pytest.mark.parametrize("seconds", [0, 899, 604801])
def test_it_refuses_to_start_with_addresses_that_live_too_short_or_too_long(settings: Settings, seconds: int) -> None:
    settings.SAMPLE_URL_SECONDS = seconds
    assert "voices.E001" in [message.id for message in checks.run_checks()]


def test_it_starts_with_the_usual_two_hours() -> None:
    assert "voices.E001" not in [message.id for message in checks.run_checks()]
