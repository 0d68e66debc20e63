"""Provider accounts and their secrets, as the environment describes them."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.serializers import serialize
from django.db import connection

from voiceclone_site.accounts.models import User
from voices.accounts import sync_from_settings
from voices.models import ProviderAccount, VoiceClone, WebhookEndpoint

Origin = ProviderAccount.Origin
KEY = "sk-the-real-one-4711"


@pytest.fixture
def environment(settings: Any) -> Callable[[str], None]:
    def with_key(api_key: str) -> None:
        block = settings.PROVIDERS["aliyun"]
        settings.PROVIDERS = {"aliyun": block | {"credentials": {"api_key": api_key}}}

    return with_key


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM voices_provideraccount")
        (column,) = cursor.fetchone()
        return str(column)


@pytest.mark.django_db
def test_it_opens_a_sandbox_account_without_a_key(environment: Callable[[str], None]) -> None:
    environment("")
    (account,) = sync_from_settings()
    assert account.origin == Origin.SANDBOX
    assert account.endpoints["http"].startswith("http://127.0.0.1:")
    assert account.voice_cap == 1000


@pytest.mark.django_db
def test_it_offers_no_provider_without_a_key_where_there_shall_be_no_sandbox(
    environment: Callable[[str], None], settings: Any
) -> None:
    environment("")
    sync_from_settings()
    settings.SANDBOX = False
    assert sync_from_settings() == []
    assert not ProviderAccount.objects.get().is_open
    environment(KEY)
    assert [account.origin for account in sync_from_settings()] == [Origin.ENVIRONMENT]


@pytest.mark.django_db
def test_it_opens_a_real_account_and_no_sandbox_with_a_key(environment: Callable[[str], None]) -> None:
    environment("")
    sync_from_settings()
    environment(KEY)
    sync_from_settings()
    account = ProviderAccount.objects.get()
    assert account.origin == Origin.ENVIRONMENT
    assert account.credentials == {"api_key": KEY}
    assert account.endpoints["http"].startswith("https://dashscope")


def test_it_closes_a_sandbox_account_that_has_voices(
    ready_voice: VoiceClone, environment: Callable[[str], None]
) -> None:
    environment(KEY)
    sync_from_settings()
    ready_voice.account.refresh_from_db()
    assert not ready_voice.account.is_open
    assert ProviderAccount.objects.filter(is_open=True).get().origin == Origin.ENVIRONMENT


@pytest.mark.django_db
def test_it_changes_nothing_the_second_time_and_keeps_what_an_operator_set(
    environment: Callable[[str], None],
) -> None:
    environment("")
    sync_from_settings()
    ProviderAccount.objects.update(voice_cap=7, synthesis_rate=1.5)
    (account,) = sync_from_settings()
    assert (account.voice_cap, account.synthesis_rate) == (7, 1.5)
    assert ProviderAccount.objects.count() == 1


@pytest.mark.django_db
def test_it_stores_no_secret_in_clear(environment: Callable[[str], None]) -> None:
    environment(KEY)
    sync_from_settings()
    assert KEY not in stored()
    assert KEY not in serialize("json", ProviderAccount.objects.all())
    assert KEY not in repr(ProviderAccount.objects.get())


@pytest.mark.django_db
def test_it_tells_of_the_accounts_without_their_secrets(environment: Callable[[str], None]) -> None:
    environment(KEY)
    said = StringIO()
    call_command("sync_provider_accounts", stdout=said)
    assert "dashscope.aliyuncs.com" in said.getvalue()
    assert KEY not in said.getvalue()


@pytest.mark.django_db
def test_it_rotates_the_key_of_the_secrets(environment: Callable[[str], None], settings: Any) -> None:
    environment(KEY)
    sync_from_settings()
    old, new = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    before = stored()

    settings.ENCRYPTION_KEYS = [new, old]
    call_command("rotate_encryption_key", stdout=StringIO())

    settings.ENCRYPTION_KEYS = [new]
    assert stored() != before
    assert ProviderAccount.objects.get().credentials == {"api_key": KEY}


def test_it_rotates_the_key_of_every_kind_of_secret(alice: User, settings: Any) -> None:
    endpoint = WebhookEndpoint.objects.create(owner=alice, url="https://example.com/hook", events=["voice.ready"])
    old, new = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [new, old]
    said = StringIO()
    call_command("rotate_encryption_key", stdout=said)
    assert said.getvalue() == "Encrypted 1 secrets with the newest key.\n"
    settings.ENCRYPTION_KEYS = [new]
    assert WebhookEndpoint.objects.get().secret == endpoint.secret


@pytest.mark.django_db
def test_it_says_what_to_do_when_the_key_is_gone(environment: Callable[[str], None], settings: Any) -> None:
    environment(KEY)
    sync_from_settings()
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        ProviderAccount.objects.get()
