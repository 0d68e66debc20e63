from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework import exceptions as drf
from rest_framework.test import APIClient

from tests.accounts import probe
from tests.cast import ENGLISH
from voiceclone_site.errors import status_of
from voices import errors as portal
from voices.providers import errors as provider

pytestmark = pytest.mark.urls("tests.accounts.probe")

KEYS = {
    "code",
    "message",
    "action",
    "provider",
    "provider_code",
    "provider_request_id",
    "help_url",
    "request_id",
    "retryable",
}


def answer_to(program: APIClient, error: Callable[[], Exception]) -> Any:
    probe.raising.append(error)
    return program.get("/api/v1/probe/error")


def tree_of(*roots: type[Exception]) -> list[type[Exception]]:
    found: list[type[Exception]] = []
    for root in roots:
        found += [root, *tree_of(*root.__subclasses__())]
    return found


@pytest.mark.parametrize("error", tree_of(provider.ProviderError), ids=lambda error: error.__name__)
def test_it_gives_every_provider_error_a_status_a_sentence_and_its_evidence(
    alice_api: APIClient, error: type[provider.ProviderError]
) -> None:
    answer = answer_to(
        alice_api, lambda: error("raw words", provider="acme", provider_code="Acme.Code", request_id="r-77")
    )
    body = answer.json()["error"]
    assert answer.status_code in {409, 422, 429, 502, 503}
    assert body.keys() == KEYS
    assert body["code"] == error.code
    assert body["message"].endswith(".")
    assert (body["provider"], body["provider_code"], body["provider_request_id"]) == ("acme", "Acme.Code", "r-77")
    assert body["help_url"].endswith("/help/errors/?q=Acme.Code")
    assert body["retryable"] is error.retryable
    assert body["action"] in {"user", "operator", "provider"}
    assert body["request_id"] == answer["X-Request-Id"]
    assert "raw words" not in answer.content.decode()


@pytest.mark.parametrize("error", tree_of(portal.PortalError), ids=lambda error: error.__name__)
def test_it_gives_every_refusal_of_our_own_a_status(error: type[Exception]) -> None:
    status = status_of(error)
    assert status is not None
    assert 400 <= status < 600


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (lambda: provider.RateLimited(provider="acme", retry_after=2.2), 429, "rate_limited"),
        (lambda: provider.Unreachable(provider="acme"), 503, "provider_unreachable"),
        (lambda: provider.OutcomeUnknown(provider="acme"), 502, "outcome_unknown"),
        (lambda: provider.SlotsExhausted(provider="acme"), 429, "slots_exhausted"),
        (lambda: provider.TextRejected(provider="acme"), 422, "text_rejected"),
        (lambda: provider.ConfigurationError("set ACME_KEY=s3cret"), 500, "configuration"),
        (lambda: portal.VoiceNotReady(), 409, "voice_not_ready"),
        (lambda: portal.ConsentMissing(), 422, "consent_missing"),
        (lambda: portal.NoAccount(), 503, "no_provider_account"),
        (lambda: portal.Busy(retry_after=0.4), 429, "busy"),
        (lambda: portal.Exhausted("All used up.", code="quota_characters"), 429, "quota_characters"),
        (lambda: Http404("No VoiceClone matches"), 404, "not_found"),
        (lambda: PermissionDenied(), 403, "permission_denied"),
        (lambda: RequestDataTooBig("x"), 413, "request_too_large"),
        (lambda: DjangoValidationError({"name": ["Too long."]}), 400, "invalid_input"),
        (lambda: drf.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (lambda: drf.UnsupportedMediaType("x/y"), 415, "unsupported_media_type"),
        (lambda: drf.ParseError(), 400, "parse_error"),
        (lambda: drf.Throttled(wait=3), 429, "throttled"),
    ],
)
def test_it_answers_with_the_status_of_its_table(
    alice_api: APIClient, error: Callable[[], Exception], status: int, code: str
) -> None:
    answer = answer_to(alice_api, error)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"].keys() >= KEYS
    assert "s3cret" not in answer.content.decode()
    assert "VoiceClone matches" not in answer.content.decode()


def test_it_says_when_to_come_back(alice_api: APIClient) -> None:
    assert answer_to(alice_api, lambda: provider.RateLimited(provider="acme", retry_after=2.2))["Retry-After"] == "3"
    assert answer_to(alice_api, lambda: portal.Busy(retry_after=0.1))["Retry-After"] == "1"


def test_it_names_the_fields_that_are_wrong(alice_api: APIClient) -> None:
    answer = alice_api.post("/api/v1/probe/error", {"text": "", "options": {"speed": "fast"}}, format="json")
    assert answer.status_code == 400
    body = answer.json()["error"]
    assert body["code"] == "invalid_input"
    assert body["fields"] == {
        "text": ["This field may not be blank."],
        "options.speed": ["A valid number is required."],
    }
    assert body["message"] == "This field may not be blank."


def test_it_names_the_fields_that_a_service_refused(alice_api: APIClient) -> None:
    answer = answer_to(alice_api, lambda: portal.SampleRefused(fields={"sample": ["Too short.", "Too quiet."]}))
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"] == {"sample": ["Too short.", "Too quiet."]}
    assert answer.json()["error"]["message"] == "Too short."


def test_it_reads_no_json_that_is_none(alice_api: APIClient) -> None:
    answer = alice_api.post("/api/v1/probe/error", "{not json", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "parse_error"


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_it_answers_in_json_where_no_view_is(nobody_api: APIClient, method: str) -> None:
    answer = getattr(nobody_api, method)("/api/v1/there/is/no/such/thing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_it_turns_what_nobody_foresaw_into_a_500_that_says_nothing(alice_api: APIClient) -> None:
    alice_api.raise_request_exception = False
    answer = answer_to(alice_api, lambda: ZeroDivisionError("password=hunter2hunter2"))
    assert answer.status_code == 500
    body = answer.json()["error"]
    assert (body["code"], body["action"]) == ("internal", "operator")
    assert body["request_id"] == answer["X-Request-Id"]
    assert "hunter2" not in answer.content.decode()


@pytest.mark.django_db
def test_it_shows_a_page_when_a_page_fails_without_asking_the_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    browser = Client(raise_request_exception=False, headers=ENGLISH)
    probe.raising.append(lambda: ZeroDivisionError("hunter2"))
    with django_assert_num_queries(0):
        answer = browser.get("/probe/page")
    page = answer.content.decode()
    assert answer.status_code == 500
    assert "Something went wrong on our side." in page
    assert answer["X-Request-Id"] in page
    assert "hunter2" not in page


def test_it_shows_a_page_for_what_is_not_there(visitor: Client) -> None:
    answer = visitor.get("/nothing/of/the/kind")
    assert answer.status_code == 404
    assert "it does not exist, or it is not yours" in answer.content.decode()


def test_it_shows_a_page_for_what_is_not_allowed(visitor: Client) -> None:
    probe.raising.append(PermissionDenied)
    answer = visitor.get("/probe/page")
    assert answer.status_code == 403
    assert "You may not do this." in answer.content.decode()


def test_it_explains_a_form_that_is_too_old(db: None) -> None:
    browser = Client(enforce_csrf_checks=True, headers=ENGLISH)
    answer = browser.post("/accounts/login/", {"login": "a@example.com", "password": "x"})
    assert answer.status_code == 403
    assert "reload the page and try again" in answer.content.decode()


def test_it_answers_a_host_it_does_not_know(db: None) -> None:
    translation.activate("zh-hans")
    answer = Client(headers=ENGLISH).get("/accounts/login/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "cannot be read" in answer.content.decode()
    assert '<html lang="en">' in answer.content.decode()


def test_it_documents_each_error_with_the_status_it_has() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "errors.md").read_text()
    documented = {(code, int(status)) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", page, re.MULTILINE)}
    ours = tree_of(provider.ProviderError, portal.PortalError)
    # NotLetIn is never raised itself
    known = {(getattr(error, "code", ""), status_of(error)) for error in ours} - {("not_authenticated", 401)}
    assert known - documented == set()


def test_it_draws_every_provider_error_in_the_docstring() -> None:
    drawn = set(re.findall(r"(?:├──|└──) (\w+)", inspect.getdoc(provider) or ""))
    assert drawn == {error.__name__ for error in tree_of(provider.ProviderError)[1:]}


def test_it_shows_the_page_of_a_failure_even_where_static_files_were_never_collected(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }
    probe.raising.append(lambda: ZeroDivisionError("hunter2"))
    answer = Client(raise_request_exception=False, headers=ENGLISH).get("/probe/page")
    assert answer.status_code == 500
    assert "Something went wrong on our side." in answer.content.decode()
