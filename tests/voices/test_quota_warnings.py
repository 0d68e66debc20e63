"""Who has used most of what they may is told so by webhook, once for each line that is passed."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.receiver import Receiver
from tests.worker import finish, let_time_pass
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import issue_token
from voiceclone_site.messages import DATA
from voices import meters, plans, quota_warnings
from voices.meters import Gauge
from voices.models import Measure, Meter, QuotaWarning, VoiceClone, WebhookDelivery, WebhookEndpoint, WebhookEvent

WEBHOOKS, JOBS = "/api/v1/webhooks", "/api/v1/jobs"
WEATHER = "今天天气怎么样？"


@pytest.fixture
def told(alice: User) -> Any:
    """What has been said to Alice's program so far: which line, of what."""
    WebhookEndpoint.objects.create(owner=alice, url="https://example.com/", events=["quota.warning"])

    def read() -> list[tuple[str, int]]:
        bodies = WebhookDelivery.objects.order_by("created_at").values_list("body", flat=True)
        data = [json.loads(body)["data"] for body in bodies]
        return [(each["measure"], each["percent"]) for each in data]

    return read


def use(user: User, amount: int, measure: Measure = Measure.CHARACTERS) -> None:
    period = meters.period_of(measure, timezone.localdate(), account=False)
    gauge = Gauge(measure, period, user_id=user.pk)
    plans.open_meters([gauge])
    assert meters.shift({gauge: amount})


def test_it_tells_a_program_of_what_its_owner_spoke(
    alice: User, alice_api: APIClient, receiver: Receiver, ready_voice: VoiceClone
) -> None:
    plans.change_allowance(alice, by=None, characters_per_month=18)
    endpoint = alice_api.post(WEBHOOKS, {"url": receiver.url, "events": ["quota.warning"]}, format="json").json()
    job = alice_api.post(JOBS, {"voice": str(ready_voice.pk), "text": WEATHER}, format="json").json()
    finish(ready_voice.synthesis_jobs.get(pk=job["id"]))
    for _minute in range(2):
        let_time_pass()
    [message] = receiver.got
    said = message.verified(endpoint["secret"])
    (characters,) = [
        each for each in alice_api.get("/api/v1/quota").json()["meters"] if each["measure"] == "characters"
    ]
    assert said["type"] == "quota.warning"
    assert said["data"] == characters | {"percent": 80, "token": None}
    assert set(said["data"]) == set(DATA[WebhookEvent.QUOTA_WARNING])
    assert (said["data"]["used"], said["data"]["limit"], said["data"]["left"]) == (15, 18, 3)


def test_it_tells_once_at_each_line(alice: User, told: Any) -> None:
    plans.change_allowance(alice, by=None, characters_per_month=100)
    said = []
    for amount in (79, 1, 19, 1, 5):
        use(alice, amount)
        for _minute in range(2):
            quota_warnings.sweep()
        said.append(told())
    at_80, at_100 = ("characters", 80), ("characters", 100)
    assert said == [[], [at_80], [at_80], [at_80, at_100], [at_80, at_100]]


def test_it_tells_of_the_second_line_alone_when_both_are_passed_at_once(alice: User, told: Any) -> None:
    plans.change_allowance(alice, by=None, trainings_per_month=2)
    use(alice, 2, Measure.TRAININGS)
    quota_warnings.sweep()
    use(alice, -1, Measure.TRAININGS)
    quota_warnings.sweep()
    assert told() == [("trainings", 100)]


def test_it_tells_anew_of_another_limit(alice: User, told: Any) -> None:
    plans.change_allowance(alice, by=None, characters_per_month=100)
    use(alice, 80)
    quota_warnings.sweep()
    plans.change_allowance(alice, by=None, characters_per_month=1000)
    quota_warnings.sweep()
    assert len(told()) == 1
    use(alice, 720)
    quota_warnings.sweep()
    assert told() == [("characters", 80)] * 2


def test_it_tells_anew_of_what_was_given_back_but_not_twice_a_day(alice: User, told: Any) -> None:
    plans.change_allowance(alice, by=None, voices=5)
    use(alice, 4, Measure.VOICES)
    quota_warnings.sweep()
    for _time in range(3):
        use(alice, -1, Measure.VOICES)
        quota_warnings.sweep()
        use(alice, 1, Measure.VOICES)
        quota_warnings.sweep()
    assert told() == [("voices", 80)]
    use(alice, -1, Measure.VOICES)
    QuotaWarning.objects.update(at=timezone.now() - quota_warnings.QUIET - timedelta(seconds=1))
    quota_warnings.sweep()
    use(alice, 1, Measure.VOICES)
    quota_warnings.sweep()
    assert told() == [("voices", 80)] * 2


def test_it_tells_nobody_of_what_is_unlimited_past_fleeting_or_somebody_elses(
    alice: User, charlie: User, told: Any
) -> None:
    plans.change_plan(plans.default_plan(), by=None, characters_per_month=None, jobs_in_flight=2, voices=0)
    use(alice, 10**9)
    use(alice, 2, Measure.JOBS)
    use(alice, 0, Measure.VOICES)
    Meter.objects.create(
        key="user:1:characters:2001-01", user=alice, measure="characters", period="2001-01", used=9, cap=9
    )
    plans.change_allowance(charlie, by=None, characters_per_month=10)
    use(charlie, 9)
    quota_warnings.sweep()
    assert told() == []


def test_it_tells_of_the_budget_of_a_token_which_it_names(alice: User, charlie: User, told: Any) -> None:
    row, _token = issue_token(alice, name="a customer", scopes=["speech"], expires_at=None, spend_per_month=Decimal(2))
    others, _token = issue_token(charlie, name="his", scopes=["speech"], expires_at=None, spend_per_month=Decimal(2))
    gone, _token = issue_token(alice, name="gone", scopes=["speech"], expires_at=None, spend_per_month=Decimal(2))
    for token in (row, others, gone):
        gauge = Gauge(Measure.COST, meters.month_of(timezone.localdate()), token_id=token.pk)
        plans.open_meters([gauge])
        meters.shift({gauge: 1_700_000})
    gone.delete()
    for _minute in range(2):
        quota_warnings.sweep()
    assert told() == [("cost", 80)]
    data = json.loads(WebhookDelivery.objects.get().body)["data"]
    assert data["token"] == {"id": row.pk, "name": "a customer"}
    assert (data["used"], data["limit"], data["left"]) == (1.7, 2.0, 0.3)


def test_it_says_nothing_in_a_constant_number_of_queries(
    alice: User, told: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Meter.objects.bulk_create(
        Meter(key=f"user:{alice.pk}:storage:{n}", user=alice, measure="storage", used=n, cap=200)
        for n in range(100, 200)
    )
    Meter.objects.bulk_create([Meter(key="user:0:huge", user=alice, measure="storage", used=1, cap=2**62)])
    quota_warnings.sweep()
    assert told() == [("storage", 80)] * 40
    with django_assert_num_queries(2):
        quota_warnings.sweep()
