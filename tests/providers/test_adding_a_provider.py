"""docs/adding-a-provider.md is true: a package, its sandbox, a line in the registry, a block in the settings; nothing else.

The toy lives in tests/toy_provider. No app was told of it, and every front door knows it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from tests.cast import token_of
from tests.front import Portal
from tests.providers.loopback import Loopback
from tests.recordings import WOMAN, recording
from tests.synthesis.command_line import CommandLine, at_the_sandbox, voiceclone
from tests.toy_provider.studio import KEY, TONE, ToyStudio
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voices.accounts import sync_from_settings
from voices.models import ProviderAccount, VoiceClone
from voices.providers import registry
from voices.tickets import ticket

__all__ = ["at_the_sandbox", "voiceclone"]

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = ROOT / "docs" / "adding-a-provider.md"
ENGINE = "toy/whistle-1"


@pytest.fixture
def studio(at_the_sandbox: object, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyStudio]:
    """Steps 2 to 4 of the guide: its sandbox, the line in the registry, the block in the settings."""
    studio = ToyStudio()
    with Loopback(studio) as loopback:
        monkeypatch.setitem(registry.PROVIDERS, "toy", "tests.toy_provider")
        block = {
            "credentials": {"key": ""},
            "endpoints": {"http": "https://toy.example.com", "ws": "wss://toy.example.com/whistle"},
            "sandbox_credentials": {"key": KEY},
            "sandbox_endpoints": {"http": loopback.http, "ws": f"{loopback.ws}/whistle"},
        }
        settings.PROVIDERS = {**settings.PROVIDERS, "toy": block}
        yield studio


@pytest.fixture
def toy(db: None, studio: ToyStudio) -> ProviderAccount:
    sync_from_settings()
    return ProviderAccount.objects.get(provider="toy")


def new_voice(program: APIClient) -> VoiceClone:
    order = {
        "name": "Whistler",
        "provider": "toy",
        "consent": "true",
        "parameters": '{"mood": "grave"}',
        "sample": SimpleUploadedFile("whistler.wav", recording(WOMAN)),
    }
    answer = program.post("/api/v1/voices", order, format="multipart")
    assert answer.status_code == 201, answer.content
    return finish(VoiceClone.objects.get(pk=answer.json()["id"]))


def test_it_needs_no_migration(toy: ProviderAccount) -> None:
    out = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=out)
    assert "No changes" in out.getvalue()


def test_the_forms_offer_it(alice_client: Client, toy: ProviderAccount) -> None:
    for address in ("/voices/new/", "/voices/import/"):
        page = alice_client.get(address).content.decode()
        assert f'value="{ENGINE}"' in page
        assert "Toy Voices" in page
    assert "toy.whistle-1-mood" in alice_client.get("/voices/new/").content.decode()


def test_the_api_describes_it(alice_api: APIClient, toy: ProviderAccount) -> None:
    providers = {each["slug"]: each for each in alice_api.get("/api/v1/providers").json()["providers"]}
    (model,) = providers["toy"]["models"]
    assert providers["toy"]["open"]
    assert [each["name"] for each in model["speech_parameters"]] == ["tempo"]


def test_the_admin_asks_for_its_credentials(dana_client: Client, toy: ProviderAccount) -> None:
    page = dana_client.get(f"/admin/voices/provideraccount/{toy.pk}/change/")
    assert page.status_code == 200
    assert KEY not in page.content.decode()
    assert "toy" in dana_client.get("/admin/voices/provideraccount/add/").content.decode()


def test_a_voice_is_trained_speaks_and_is_deleted_through_the_api(
    alice: User,
    alice_api: APIClient,
    charlie_api: APIClient,
    alice_client: Client,
    portal: Portal,
    toy: ProviderAccount,
    studio: ToyStudio,
) -> None:
    voice = new_voice(alice_api)
    assert (voice.state, voice.remote_id, voice.options) == ("Success", "toy-1", {"mood": "grave"})
    answer = portal.ask("/api/v1/speech", {"voice": str(voice.pk), "text": "Hello"}, token=token_of(alice))
    assert (answer.status, answer.body) == (200, TONE * 5)
    portal.until_quiet()
    assert alice_client.get(f"/voices/{voice.pk}/").status_code == 200
    assert charlie_api.get(f"/api/v1/voices/{voice.pk}").status_code == 404
    alice_api.delete(f"/api/v1/voices/{voice.pk}")
    finish(voice)
    assert studio.voices == {}


def test_the_page_makes_a_voice(alice_client: Client, alice: User, toy: ProviderAccount) -> None:
    form = {
        "name": "Whistler",
        "engine": ENGINE,
        "language": "en",
        "consent": "on",
        "toy.whistle-1-mood": "gay",
        "sample": SimpleUploadedFile("whistler.wav", recording(WOMAN)),
    }
    answer = alice_client.post("/voices/new/", form)
    assert answer.status_code == 302, answer.content.decode()
    assert finish(VoiceClone.objects.get(owner=alice)).state == "Success"


def test_its_refusals_are_explained_everywhere(
    alice: User, alice_api: APIClient, visitor: Client, portal: Portal, toy: ProviderAccount
) -> None:
    voice = new_voice(alice_api)
    refusal = portal.ask("/api/v1/speech", {"voice": str(voice.pk), "text": "Why?"}, token=token_of(alice))
    portal.until_quiet()
    error = refusal.json()["error"]
    assert (refusal.status, error["code"], error["provider_code"]) == (422, "text_rejected", "T-9")
    assert error["help_url"].endswith("/help/errors/?q=T-9#toy-synthesis-t-9")
    page = visitor.get("/help/errors/", {"q": "question mark"}).content.decode()
    assert "A toy whistles no question marks." in page
    assert "Toy Voices" in page
    job = voice.synthesis_jobs.get()
    assert "Service: synthesis" in ticket(job)


def test_a_wrong_key_is_the_operators_matter(alice_api: APIClient, toy: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=toy.pk).update(credentials={"key": "wrong"})
    voice = new_voice(alice_api)
    assert (voice.state, voice.error_code, voice.error_action) == ("Failed", "credentials_rejected", "operator")


def test_a_voice_trained_elsewhere_is_taken_over(alice_api: APIClient, toy: ProviderAccount, studio: ToyStudio) -> None:
    studio.voices["elsewhere"] = {"id": "elsewhere", "tag": "", "state": "ready"}
    order = {"name": "Found", "provider": "toy", "remote_id": "elsewhere", "consent": True}
    answer = alice_api.post("/api/v1/voices/import", order, format="json")
    assert finish(VoiceClone.objects.get(pk=answer.json()["id"])).state == "Success"


def test_the_command_line_speaks_with_it(
    voiceclone: CommandLine, studio: ToyStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wav = tmp_path / "recording.wav"
    wav.write_bytes(recording(WOMAN))
    provider = ("--provider", "toy")
    arguments = ("--audio", wav, "--name", "Whistler", "--set", "mood=gay", "--wait", "--every", 0)
    made = voiceclone("train", "quick", *arguments, *provider)
    assert (made.status, made.out) == (0, "toy-1"), made.err
    spoken = voiceclone("synth", "Hello", "--res-id", "toy-1", "--set", "tempo=90", *provider)
    assert (spoken.status, spoken.out) == (0, "output.pcm"), spoken.err
    assert (tmp_path / "output.pcm").read_bytes() == TONE * 5
    assert voiceclone("synth", "Why?", "--res-id", "toy-1", *provider).status == 1


def test_the_guide_names_what_the_toy_is_made_of() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests" / "toy_provider").glob("*.py")):
        assert f"`{path.name}`" in guide, path.name
    for path in re.findall(r"`((?:voices|tests|docs|voiceclone_site)/[\w/.-]+\.(?:py|md))`", guide):
        assert (ROOT / path).is_file(), path


def test_no_app_knows_the_toy() -> None:
    for package in ("voices", "synthesis", "voiceclone_site"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            assert not any("toy" in name for name in imported), path
