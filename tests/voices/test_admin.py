"""Voices and accounts as operators see them: all of it but the secrets, and nothing to be bent by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tests.cast import browser_of
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices.evidence import MOST_COUNTED, BoundedPaginator
from voices.models import ProviderAccount, VoiceClone, VoiceConsent, VoiceSample

State = VoiceClone.State

ACCOUNTS, ADD_ACCOUNT = "/admin/voices/provideraccount/", "/admin/voices/provideraccount/add/"
VOICES = "/admin/voices/voiceclone/"
KEY = "sk-operator-0123456789abcdef"


def run(client: Client, address: str, action: str, *rows: Any, **answers: str) -> list[str]:
    """What the operator is told after choosing rows and an action, and saying yes where that is asked."""
    chosen = [str(row.pk) for row in rows]
    form = {"action": action, "_selected_action": chosen, **answers}
    page = client.post(address, form, follow=True)
    if "question" in page.context:
        page = client.post(address, {**form, "confirmed": "yes"}, follow=True)
    return [str(message) for message in page.context["messages"]]


def voices(owner: User, account: ProviderAccount, *names: str, **fields: Any) -> list[VoiceClone]:
    described: dict[str, Any] = {
        "owner": owner,
        "account": account,
        "provider": "aliyun",
        "model": "cosyvoice-v3-flash",
        "language": "en",
    }
    return [VoiceClone.objects.create(**{**described, "name": name, **fields}) for name in names]


# --- every model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    ["provideraccount", "voiceclone", "voicesample", "voiceconsent", "voiceevent", "ratebucket", "queueheartbeat"],
)
def test_it_lists_every_model_and_finds_in_it(dana_client: Client, ready_voice: VoiceClone, model: str) -> None:
    address = reverse(f"admin:voices_{model}_changelist")
    assert dana_client.get(address).status_code == 200
    assert dana_client.get(address, {"q": "annie"}).status_code == 200


def test_it_shows_a_voice_with_its_recordings_consents_and_history(
    dana_client: Client, ready_voice: VoiceClone
) -> None:
    page = dana_client.get(f"{VOICES}{ready_voice.pk}/change/").content.decode()
    assert ready_voice.remote_id in page
    assert "annie.wav" in page
    assert "alice@example.com" in page or "Alice" in page
    assert "The provider took the recording and began to train." in page
    assert ready_voice.tag in page


def test_it_finds_a_voice_by_the_id_in_an_address(dana_client: Client, alice: User, aliyun_account: Any) -> None:
    mine, _other = voices(alice, aliyun_account, "Annie", "Max")
    page = dana_client.get(VOICES, {"q": str(mine.pk)}).content.decode()
    assert "Annie" in page
    assert "Max" not in page


@pytest.mark.parametrize("model", ["voiceclone", "voicesample", "voiceconsent"])
def test_it_offers_no_way_to_edit_or_delete_evidence(dana_client: Client, ready_voice: VoiceClone, model: str) -> None:
    rows: dict[str, Any] = {"voiceclone": VoiceClone, "voicesample": VoiceSample, "voiceconsent": VoiceConsent}
    row = rows[model].objects.get()
    page = dana_client.get(reverse(f"admin:voices_{model}_change", args=[row.pk])).content.decode()
    assert 'name="state"' not in page
    assert 'name="_save"' not in page
    address = reverse(f"admin:voices_{model}_delete", args=[row.pk])
    assert dana_client.post(address, {"post": "yes"}).status_code == 403
    assert (
        dana_client.post(reverse(f"admin:voices_{model}_change", args=[row.pk]), {"state": "Failed"}).status_code == 403
    )
    assert rows[model].objects.filter(pk=row.pk).exists()


def test_it_lets_nobody_in_who_is_not_staff(alice_client: Client, visitor: Client) -> None:
    for address in (VOICES, ACCOUNTS):
        assert alice_client.get(address).status_code in (302, 403)
        assert visitor.get(address).status_code == 302


def test_it_offers_no_actions_to_staff_who_may_only_look(
    db: None, alice: User, aliyun_account: ProviderAccount, django_user_model: type[User]
) -> None:
    erin = django_user_model.objects.create_user("erin@example.com", is_staff=True)
    erin.user_permissions.add(Permission.objects.get(codename="view_voiceclone"))
    (voice,) = voices(alice, aliyun_account, "Annie")
    client = browser_of(erin)
    assert client.get(VOICES).status_code == 200
    client.post(VOICES, {"action": "delete_at_provider", "_selected_action": [str(voice.pk)]})
    voice.refresh_from_db()
    assert voice.state == State.INIT


def test_it_asks_the_database_as_often_for_many_voices_as_for_few(
    dana_client: Client, alice: User, aliyun_account: ProviderAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    voices(alice, aliyun_account, "Annie")
    dana_client.get(VOICES)
    with CaptureQueriesContext(connection) as few:
        dana_client.get(VOICES)
    voices(alice, aliyun_account, *(f"Voice {n}" for n in range(40)))
    with django_assert_num_queries(len(few)):
        assert "Voice 39" in dana_client.get(VOICES).content.decode()


def test_it_counts_no_further_than_anybody_pages(
    alice: User, aliyun_account: ProviderAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    voices(alice, aliyun_account, "Annie", "Max")
    with django_assert_num_queries(1) as counted:
        assert BoundedPaginator(VoiceClone.objects.all(), 50).count == 2
    assert f"LIMIT {MOST_COUNTED}" in counted[0]["sql"]


# --- actions ---------------------------------------------------------------------------------------------------------


def test_it_asks_the_provider_now(dana_client: Client, order_voice: Callable[..., VoiceClone]) -> None:
    voice = order_voice()
    drain()
    assert run(dana_client, VOICES, "poll_now", voice) == ["The provider will be asked now. (1: Annie)"]
    drain()
    voice.refresh_from_db()
    assert voice.state == State.SUCCESS


def test_it_says_of_each_voice_what_became_of_it(
    dana_client: Client, alice: User, aliyun_account: ProviderAccount
) -> None:
    ready, waiting = voices(alice, aliyun_account, "Annie", "Max")
    VoiceClone.objects.filter(pk=ready.pk).update(state=State.SUCCESS)
    told = run(dana_client, VOICES, "poll_now", ready, waiting)
    assert told == [
        "“Annie”: Nothing is under way for this voice, so there is nothing to ask.",
        "The provider will be asked now. (1: Max)",
    ]


def test_it_trains_a_voice_again(dana_client: Client, ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    run(dana_client, VOICES, "train_again", ready_voice)
    assert finish(ready_voice).state == State.SUCCESS
    assert len(sandbox.ledger.calls("update_voice")) == 1


def test_it_deletes_a_voice_at_the_provider(dana_client: Client, ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    run(dana_client, VOICES, "delete_at_provider", ready_voice)
    drain()
    assert sandbox.ledger.deleted() == [ready_voice.remote_id]
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.DELETED
    assert run(dana_client, VOICES, "delete_at_provider", ready_voice) == ["“Annie”: This voice is already deleted."]


def test_it_logs_who_did_what(dana_client: Client, dana: User, ready_voice: VoiceClone) -> None:
    run(dana_client, VOICES, "train_again", ready_voice)
    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.object_id) == (dana.pk, str(ready_voice.pk))


def test_it_closes_and_opens_an_account(dana_client: Client, aliyun_account: ProviderAccount) -> None:
    assert run(dana_client, ACCOUNTS, "close", aliyun_account) == ["Aliyun CosyVoice · sandbox: Closed for new voices"]
    assert not ProviderAccount.objects.get().is_open
    run(dana_client, ACCOUNTS, "open", aliyun_account)
    assert ProviderAccount.objects.get().is_open


# --- accounts and their secrets --------------------------------------------------------------------------------------


def entered(**changes: str) -> dict[str, str]:
    return {
        "provider": "aliyun",
        "name": "second",
        "is_open": "on",
        "voice_cap": "10",
        "enrollment_rate": "9",
        "synthesis_rate": "2.7",
        "aliyun_credential_api_key": KEY,
        "aliyun_endpoint_http": "https://dashscope.aliyuncs.com/api/v1",
        "aliyun_endpoint_websocket": "wss://dashscope.aliyuncs.com/api-ws/v1/inference",
        **changes,
    }


def made(client: Client) -> ProviderAccount:
    assert client.post(ADD_ACCOUNT, entered()).status_code == 302
    return ProviderAccount.objects.get(name="second")


def test_it_adds_an_account_with_the_fields_that_its_provider_needs(dana_client: Client) -> None:
    account = made(dana_client)
    assert account.origin == ProviderAccount.Origin.ADMIN
    assert account.credentials == {"api_key": KEY}
    assert account.endpoints["websocket"].startswith("wss://dashscope.aliyuncs.com")


def test_it_never_shows_a_credential_again(dana_client: Client) -> None:
    account = made(dana_client)
    addresses = [ACCOUNTS, f"{ACCOUNTS}{account.pk}/change/", f"{ACCOUNTS}{account.pk}/history/", "/admin/"]
    for address in addresses:
        assert KEY not in dana_client.get(address).content.decode()
    wrong = dana_client.post(f"{ACCOUNTS}{account.pk}/change/", entered(name=""))
    assert wrong.status_code == 200
    assert KEY not in wrong.content.decode()
    assert not LogEntry.objects.filter(change_message__contains=KEY).exists()


def test_it_keeps_a_credential_that_is_left_empty(dana_client: Client) -> None:
    account = made(dana_client)
    page = dana_client.get(f"{ACCOUNTS}{account.pk}/change/").content.decode()
    assert "Leave this empty to keep it." in page
    dana_client.post(f"{ACCOUNTS}{account.pk}/change/", entered(aliyun_credential_api_key="", voice_cap="11"))
    account.refresh_from_db()
    assert (account.credentials, account.voice_cap) == ({"api_key": KEY}, 11)


def test_it_replaces_a_credential_that_is_entered_anew(dana_client: Client) -> None:
    account = made(dana_client)
    dana_client.post(f"{ACCOUNTS}{account.pk}/change/", entered(aliyun_credential_api_key="sk-another"))
    account.refresh_from_db()
    assert account.credentials == {"api_key": "sk-another"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"aliyun_credential_api_key": ""}, "This provider needs it."),
        ({"aliyun_endpoint_http": ""}, "This provider needs it."),
        ({"aliyun_endpoint_http": "dashscope"}, "Enter a valid URL."),
        ({"aliyun_credential_api_key": "sk-with a blank"}, "These credentials cannot be right"),
        ({"provider": "acme"}, "Select a valid choice"),
        ({"synthesis_rate": "0"}, "greater than or equal to 0.01"),
    ],
)
def test_it_says_what_an_account_still_needs(dana_client: Client, changes: dict[str, str], sentence: str) -> None:
    page = dana_client.post(ADD_ACCOUNT, entered(**changes))
    assert sentence in page.content.decode()
    assert not ProviderAccount.objects.exists()


def test_it_refuses_two_accounts_of_one_name(dana_client: Client) -> None:
    made(dana_client)
    page = dana_client.post(ADD_ACCOUNT, entered())
    assert page.status_code == 200
    assert "already exists" in page.content.decode()


def test_it_leaves_what_the_environment_says_to_the_environment(
    dana_client: Client, aliyun_account: ProviderAccount
) -> None:
    address = f"{ACCOUNTS}{aliyun_account.pk}/change/"
    page = dana_client.get(address).content.decode()
    assert "change it there, then restart" in page
    assert re.search(r'name="aliyun_credential_api_key"[^>]*disabled', page)
    before = (aliyun_account.credentials, aliyun_account.endpoints)
    dana_client.post(address, entered(name="sandbox", voice_cap="3"))
    aliyun_account.refresh_from_db()
    assert (aliyun_account.credentials, aliyun_account.endpoints) == before
    assert aliyun_account.voice_cap == 3


def test_it_does_not_delete_an_account_that_has_voices(
    dana_client: Client, alice: User, aliyun_account: ProviderAccount
) -> None:
    voices(alice, aliyun_account, "Annie")
    dana_client.post(f"{ACCOUNTS}{aliyun_account.pk}/delete/", {"post": "yes"})
    assert ProviderAccount.objects.filter(pk=aliyun_account.pk).exists()
