"""What operators do with lists: find by what they have in hand, be asked before it costs, and take the list home as CSV."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from synthesis import services as speech
from synthesis.models import SynthesisJob
from tests.cast import browser_of
from tests.worker import drain
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import asking, exporting
from voices.exporting import safe
from voices.models import Finding, ProviderAccount, VoiceClone, WebhookDelivery, WebhookEndpoint

State = VoiceClone.State
VOICES, ACCOUNTS = "/admin/voices/voiceclone/", "/admin/voices/provideraccount/"
JOBS, LEDGER = "/admin/synthesis/synthesisjob/", "/admin/voices/ledgerentry/"
DELIVERIES = "/admin/voices/webhookdelivery/"


def made(owner: User, account: ProviderAccount, name: str, **fields: Any) -> VoiceClone:
    described: dict[str, Any] = {
        "owner": owner,
        "account": account,
        "provider": account.provider,
        "model": account.traits.default_model,
        "language": "zh",
        "state": State.SUCCESS,
        "remote_id": f"remote-{name}",
        "provider_request_id": f"request-{name}",
    }
    return VoiceClone.objects.create(name=name, **{**described, **fields})


def names(client: Client, term: str) -> list[str]:
    return [row.name for row in client.get(VOICES, {"q": term}).context["cl"].result_list]


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def lines(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(text.removeprefix("\ufeff").splitlines()))


# --- finding ---------------------------------------------------------------------------------------------------------


def test_it_finds_by_what_an_operator_has_in_hand(
    alice: User, charlie: User, aliyun_account: ProviderAccount, dana_client: Client
) -> None:
    annie, _max = made(alice, aliyun_account, "Annie"), made(charlie, aliyun_account, "Max")
    for term in (str(annie.pk), "remote-Annie", "request-Annie", annie.tag, "Ann", "ALICE@", "alice@example.com"):
        assert names(dana_client, term) == ["Annie"], term
    for term in ("nnie", "example.com", str(alice.pk), "00000000-0000-0000-0000-000000000000"):
        assert names(dana_client, term) == [], term


def test_it_finds_a_job_by_the_id_of_its_voice(ready_voice: VoiceClone, dana_client: Client) -> None:
    job = speech.submit(speech.check(ready_voice.owner, voice=ready_voice, text="Hello"))
    for address, term in ((JOBS, ready_voice.pk), (JOBS, job.pk), (LEDGER, job.pk)):
        assert dana_client.get(address, {"q": str(term)}).context["cl"].result_count == 1


def test_it_finds_a_finding_by_how_the_name_of_its_voice_begins(
    alice: User, aliyun_account: ProviderAccount, dana_client: Client
) -> None:
    annie = made(alice, aliyun_account, "Annie")
    Finding.objects.create(account=aliyun_account, kind=Finding.Kind.GHOST, remote_id="gone-1", voice=annie)
    for term, number in (("Ann", 1), (str(annie.pk), 1), ("gone-1", 1), ("gone", 0)):
        assert dana_client.get("/admin/voices/finding/", {"q": term}).context["cl"].result_count == number, term


@pytest.mark.parametrize("term", ["Annie", "127.0.0.1", "::1", "%", "x" * 300])
@pytest.mark.parametrize("model", ["voiceconsent", "voicesample", "voiceclone", "finding", "webhookdelivery", "meter"])
def test_it_takes_whatever_is_typed(dana_client: Client, model: str, term: str) -> None:
    assert dana_client.get(f"/admin/voices/{model}/", {"q": term}).status_code == 200


# --- being asked first -----------------------------------------------------------------------------------------------


def test_it_asks_before_it_deletes(ready_voice: VoiceClone, sandbox: Sandbox, dana_client: Client) -> None:
    form = {"action": "delete_at_provider", "_selected_action": [str(ready_voice.pk)], "_back": "row"}
    page = dana_client.post(VOICES, form)
    assert "This cannot be undone." in page.content.decode()
    assert "Annie" in page.content.decode()
    drain()
    assert sandbox.ledger.deleted() == []
    answer = dana_client.post(VOICES, {**form, "confirmed": "yes"}, follow=True)
    assert answer.request["PATH_INFO"] == f"{VOICES}{ready_voice.pk}/change/"
    drain()
    assert sandbox.ledger.deleted() == [ready_voice.remote_id]


@pytest.mark.parametrize("action", ["train_again", "look_it_up", "it_was_made", "nothing_happened"])
def test_it_asks_before_it_costs(ready_voice: VoiceClone, dana_client: Client, action: str) -> None:
    page = dana_client.post(VOICES, {"action": action, "_selected_action": [str(ready_voice.pk)]})
    assert "Yes, do it" in page.content.decode()
    assert ready_voice.events.count() == len(VoiceClone.objects.get().events.all())
    assert not LogEntry.objects.exists()


def test_it_takes_no_more_rows_than_can_have_been_looked_at(
    alice: User, aliyun_account: ProviderAccount, dana_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_ROWS", 1)
    voices = [made(alice, aliyun_account, name) for name in ("Annie", "Max")]
    form = {"action": "delete_at_provider", "_selected_action": [str(each.pk) for each in voices], "confirmed": "yes"}
    assert told(dana_client.post(VOICES, form, follow=True)) == ["Choose 1 rows at most."]
    assert VoiceClone.objects.filter(state=State.SUCCESS).count() == 2


def test_it_has_the_actions_on_a_row_s_own_page(ready_voice: VoiceClone, dana_client: Client) -> None:
    page = dana_client.get(f"{VOICES}{ready_voice.pk}/change/").content.decode()
    assert 'name="action" value="delete_at_provider"' in page
    assert "The provider took the recording and began to train." in page


def test_it_has_no_actions_for_staff_who_may_only_look(
    alice: User, aliyun_account: ProviderAccount, django_user_model: type[User]
) -> None:
    erin = django_user_model.objects.create_user("erin@example.com", is_staff=True)
    erin.user_permissions.add(Permission.objects.get(codename="view_voiceclone"))
    voice = made(alice, aliyun_account, "Annie")
    client = browser_of(erin)
    assert 'name="action"' not in client.get(f"{VOICES}{voice.pk}/change/").content.decode()
    client.post(VOICES, {"action": "nothing_happened", "_selected_action": [str(voice.pk)], "confirmed": "yes"})
    assert not voice.events.exists()


# --- deciding --------------------------------------------------------------------------------------------------------


@pytest.fixture
def undecided(alice: User, iflytek_account: ProviderAccount) -> VoiceClone:
    """At a provider that neither lists nor takes a mark; the answer to its making was lost."""
    return made(alice, iflytek_account, "Annie", state=State.UNKNOWN, remote_id="", intent_at=timezone.now())


def test_the_operator_says_that_it_was_made(undecided: VoiceClone, dana_client: Client) -> None:
    form = {"action": "it_was_made", "_selected_action": [str(undecided.pk)], "confirmed": "yes"}
    refused = dana_client.post(VOICES, {**form, "remote_id": " "})
    assert refused.status_code == 422
    assert "This field is required." in refused.content.decode()
    dana_client.post(VOICES, {**form, "remote_id": "4711"})
    undecided.refresh_from_db()
    assert (undecided.state, undecided.remote_id) == (State.TRAINING, "4711")


def test_the_operator_says_that_nothing_was_made(undecided: VoiceClone, dana_client: Client) -> None:
    form = {"action": "nothing_happened", "_selected_action": [str(undecided.pk)], "confirmed": "yes"}
    dana_client.post(VOICES, form, follow=True)
    undecided.refresh_from_db()
    assert undecided.state == State.INIT
    again = told(dana_client.post(VOICES, form, follow=True))
    assert again == ["“Annie”: Nothing has to be decided about this voice: it is cleared up by itself."]


def test_a_doubted_voice_is_looked_up_before_anything_is_sent(
    order_voice: Any, sandbox: Sandbox, dana_client: Client
) -> None:
    voice = order_voice()
    form = {"action": "look_it_up", "_selected_action": [str(voice.pk)], "confirmed": "yes"}
    dana_client.post(VOICES, form, follow=True)
    voice.refresh_from_db()
    assert voice.state == State.UNKNOWN
    drain()
    assert len(sandbox.ledger.calls("list_voice")) == 1
    assert sandbox.ledger.calls("create_voice") == []
    VoiceClone.objects.update(state=State.SUCCESS)
    (refused,) = told(dana_client.post(VOICES, form, follow=True))
    assert "Nothing is under way for this voice." in refused


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["aliyun_account", "iflytek_account", "qiniu_account"])
def test_it_tests_the_credentials_of_every_provider(
    account: str, request: pytest.FixtureRequest, dana_client: Client
) -> None:
    row: ProviderAccount = request.getfixturevalue(account)
    form = {"action": "test_credentials", "_selected_action": [row.pk]}
    (believed,) = told(dana_client.post(ACCOUNTS, form, follow=True))
    assert "The provider knows these credentials" in believed
    wrong = dict.fromkeys(row.credentials, "wrong-0123456789abcdef0123456789ab")
    ProviderAccount.objects.filter(pk=row.pk).update(credentials=wrong)
    (refused,) = told(dana_client.post(ACCOUNTS, form, follow=True))
    assert "The provider knows" not in refused
    assert "wrong-0123456789" not in refused


def test_it_tests_nothing_through_an_account_that_is_paused(
    aliyun_account: ProviderAccount, sandbox: Sandbox, dana_client: Client
) -> None:
    form = {"_selected_action": [aliyun_account.pk]}
    dana_client.post(ACCOUNTS, {**form, "action": "pause"})
    dana_client.post(ACCOUNTS, {**form, "action": "test_credentials"})
    assert sandbox.ledger.calls("list_voice") == []


# --- jobs and messages -----------------------------------------------------------------------------------------------


def test_it_takes_up_a_job_that_waits_for_its_next_try(ready_voice: VoiceClone, dana_client: Client) -> None:
    job = speech.submit(speech.check(ready_voice.owner, voice=ready_voice, text="Hello"))
    later = timezone.now() + timedelta(hours=1)
    SynthesisJob.objects.update(due_at=later)
    drain()
    form = {"action": "take_up_now", "_selected_action": [str(job.pk)]}
    dana_client.post(JOBS, form, follow=True)
    drain()
    assert SynthesisJob.objects.get().state == SynthesisJob.State.SUCCESS
    (refused,) = told(dana_client.post(JOBS, form, follow=True))
    assert "there is nothing to take up" in refused


def test_it_sends_a_message_again_and_shows_no_secret(alice: User, dana_client: Client) -> None:
    endpoint = WebhookEndpoint.objects.create(owner=alice, url="https://example.com/hook", events=["voice.ready"])
    message = WebhookDelivery.objects.create(
        endpoint=endpoint, event="voice.ready", body="{}", state=WebhookDelivery.State.FAILED
    )
    pages = [f"/admin/voices/webhookendpoint/{endpoint.pk}/change/", f"{DELIVERIES}{message.pk}/change/", DELIVERIES]
    for address in pages:
        assert str(endpoint.secret) not in dana_client.get(address).content.decode()
    dana_client.post(DELIVERIES, {"action": "send_again", "_selected_action": [str(message.pk)]})
    message.refresh_from_db()
    assert (message.state, message.due_at is None) == (WebhookDelivery.State.WAITING, False)
    assert "replayed" in dana_client.get(f"{DELIVERIES}{message.pk}/change/").content.decode()


# --- taking it home --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("1-1", "1-1"),
        (-1, "-1"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula(cell: object, written: str) -> None:
    assert safe(cell) == written


def test_it_streams_the_list_as_it_is_filtered(
    alice: User, aliyun_account: ProviderAccount, dana_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    for name in ("=cmd()", "Max", "Eva", "Tom", "Ida"):
        made(alice, aliyun_account, name)
    made(alice, aliyun_account, "Gone", state=State.FAILED)
    page = dana_client.get(VOICES, {"state__exact": "Success"}).content.decode()
    assert f"{VOICES}csv/?state__exact=Success" in page
    answer = dana_client.get(f"{VOICES}csv/", {"state__exact": "Success"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="voiceclone-')
    head, *rows = lines(answer)
    assert head[:4] == ["Id", "Name", "Created", "Owner"]
    assert [row[1] for row in rows] == ["Ida", "Tom", "Eva", "Max", "'=cmd()"]
    assert {row[9] for row in rows} == {"Ready"}
    assert {row[3] for row in rows} == {"alice@example.com"}


def test_it_is_headed_in_the_reader_s_language(alice: User, aliyun_account: ProviderAccount, dana: User) -> None:
    made(alice, aliyun_account, "Annie")
    client = Client(headers={"accept-language": "zh-hans"})
    client.force_login(dana)
    head, row = lines(client.get(f"{VOICES}csv/"))
    assert "名称" in head
    assert "可用" in row or "就绪" in row or "已就绪" in row


@pytest.mark.parametrize("address", [VOICES, JOBS, LEDGER])
def test_only_who_may_look_downloads(
    address: str, ready_voice: VoiceClone, visitor: Client, alice_client: Client, dana_client: Client
) -> None:
    speech.submit(speech.check(ready_voice.owner, voice=ready_voice, text="Hello, this is private."))
    assert visitor.get(f"{address}csv/", follow=True).request["PATH_INFO"] == "/accounts/login/"
    assert alice_client.get(f"{address}csv/", follow=True).status_code == 403
    _head, *rows = lines(dana_client.get(f"{address}csv/"))
    assert rows
    assert "private" not in str(rows)


def test_staff_without_the_right_to_look_download_nothing(db: None, django_user_model: type[User]) -> None:
    client = browser_of(django_user_model.objects.create_user("erin@example.com", is_staff=True))
    assert client.get(f"{VOICES}csv/").status_code == 403


def test_it_asks_the_database_once_for_each_thousand_rows(
    alice: User,
    aliyun_account: ProviderAccount,
    dana_client: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    made(alice, aliyun_account, "Annie")
    with CaptureQueriesContext(connection) as few:
        lines(dana_client.get(f"{VOICES}csv/"))
    for number in range(40):
        made(alice, aliyun_account, f"Voice {number}")
    with django_assert_num_queries(len(few)):
        assert len(lines(dana_client.get(f"{VOICES}csv/"))) == 42
