"""The schema against the portal: what schemathesis makes up from it is never a 500, and every answer is as the schema says.

SCHEMATHESIS_EXAMPLES says how many requests are made up for each operation: a few in the suite, more by hand.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.db import connections
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from pytest_django import Settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from synthesis.models import SynthesisJob
from tests.cast import token_of
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope, StaffScope
from voices.models import ProviderAccount, VoiceClone, WebhookDelivery, WebhookEndpoint, WebhookEvent

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NOT_LET_IN = {"token_missing", "token_malformed", "token_unknown", "scope_missing", "staff_only", "permission_denied"}
HEADERS: dict[str, str] = {}
KNOWN: dict[str, str] = {}
"""Ids that exist, by the beginning of an operation's address: made-up ones would all end in a 404."""


@pytest.fixture
def api(alice: User, aliyun_account: ProviderAccount, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The schema, and a portal with one of everything behind it."""
    # Django closes what it finds inside a transaction between two requests; here that transaction is the test's.
    monkeypatch.setattr(connections["default"], "close_if_unusable_or_obsolete", lambda: None)
    settings.REQUESTS_PER_MINUTE = 1_000_000
    User.objects.update(is_staff=True)
    alice.refresh_from_db()
    token = token_of(alice, scopes=[*Scope.values, *StaffScope.values])
    ApiToken.objects.update(id=987_654_321)  # that no made-up number revokes it
    voice = VoiceClone.objects.create(
        owner=alice, account=aliyun_account, provider="aliyun", model="cosyvoice-v3-flash", language="zh", name="Annie"
    )
    job = SynthesisJob.objects.create(
        owner=alice,
        voice=voice,
        provider="aliyun",
        model=voice.model,
        mode="background",
        state="Failed",
        text="你好",
        audio_format="mp3",
        sample_rate=24000,
        characters_expected=4,
        marks=[{"text": "你", "begin_ms": 0, "end_ms": 100}],
    )
    endpoint = WebhookEndpoint.objects.create(owner=alice, url="https://example.com/", events=WebhookEvent.values)
    delivery = WebhookDelivery.objects.create(endpoint=endpoint, event="job.done", body="{}")
    KNOWN.update(voices=str(voice.pk), jobs=str(job.pk), webhooks=str(endpoint.pk), deliveries=str(delivery.pk))
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    HEADERS["Authorization"] = f"Bearer {token}"
    return schema


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Half of the made-up ids become ones that exist."""
    kind = context.operation.path.removeprefix("/api/v1/").partition("/")[0]
    if path_parameters and kind in KNOWN and str(path_parameters.get("id"))[-1] in "02468ace":
        known = {"id": KNOWN[kind], "delivery": KNOWN["deliveries"]}
        return {name: known.get(name, value) for name, value in path_parameters.items()}
    return path_parameters


def ask(operation: Any) -> Counter[int]:
    """Ask as often as was wished for, and check every answer; how often which status came."""
    came = Counter[int]()

    @effort(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        answer = case.call(headers=HEADERS)
        came[answer.status_code] += 1
        if answer.status_code in {401, 403}:
            # Who is not let in proves nothing.
            assert answer.json()["error"]["code"] not in NOT_LET_IN
        case.validate_response(answer, checks=CHECKS)

    check()
    return came


def test_it_answers_as_the_schema_says(api: Any) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    # Deleting comes last, or there would be nothing left to ask about.
    came = {each.label: ask(each) for each in sorted(operations, key=lambda each: each.method.upper() == "DELETE")}
    assert len(came) >= 35
    reached = [label for label, statuses in came.items() if any(200 <= status < 300 for status in statuses)]
    assert len(reached) >= 20, came
