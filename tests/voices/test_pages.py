"""The pages of voices, as somebody sees them in a browser without scripts; what scripts add is in tests/browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from tests.recordings import WOMAN, recording, silence
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import failures
from voices.consent import STATEMENT
from voices.errors import ConsentMissing
from voices.models import ProviderAccount, VoiceClone, VoiceConsent, VoiceEvent

State = VoiceClone.State

ENGINE = "aliyun/cosyvoice-v3-flash"
BY_HTMX = {"HX-Request": "true"}


@pytest.fixture
def account(db: None) -> ProviderAccount:
    """Open, and never spoken to."""
    return ProviderAccount.objects.create(
        provider="aliyun", name="quiet", credentials={"api_key": "k"}, endpoints={}, voice_cap=10
    )


def voice_of(owner: User, account: ProviderAccount, **fields: Any) -> VoiceClone:
    described: dict[str, Any] = {
        "owner": owner,
        "account": account,
        "provider": "aliyun",
        "model": "cosyvoice-v3-flash",
        "language": "en",
        "name": "Annie",
        "state": State.SUCCESS,
    }
    return VoiceClone.objects.create(**(described | fields))


def upload(content: bytes | None = None, name: str = "annie.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, recording(WOMAN) if content is None else content)


def filled(**changes: Any) -> dict[str, Any]:
    """The form of a new voice; None leaves a field out."""
    form = {"name": "Annie", "engine": ENGINE, "language": "en", "consent": "on", "sample": upload(), **changes}
    return {name: value for name, value in form.items() if value is not None}


def stored_files() -> list[Path]:
    return [path for path in Path(django_settings.MEDIA_ROOT).rglob("*") if path.is_file()]


# --- a new voice -----------------------------------------------------------------------------------------------------


def test_it_makes_a_voice_and_goes_to_its_page(alice_client: Client, account: ProviderAccount) -> None:
    answer = alice_client.post("/voices/new/", filled())
    voice = VoiceClone.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/voices/{voice.pk}/")
    assert (voice.name, voice.model, voice.language, voice.state) == ("Annie", "cosyvoice-v3-flash", "en", State.INIT)


def test_it_keeps_the_consent_as_it_was_shown(alice_client: Client, account: ProviderAccount) -> None:
    shown = alice_client.get("/voices/new/").content.decode()
    alice_client.post("/voices/new/", filled(), headers={"user-agent": "Some Browser"})
    consent = VoiceConsent.objects.get()
    assert consent.statement in shown
    assert (consent.channel, consent.language, consent.user_agent) == ("page", "en", "Some Browser")
    assert consent.address == "127.0.0.1"


def test_it_leads_the_script_that_sent_the_form_to_the_voice(alice_client: Client, account: ProviderAccount) -> None:
    answer = alice_client.post("/voices/new/", filled(), headers=BY_HTMX)
    assert answer["HX-Redirect"] == f"/voices/{VoiceClone.objects.get().pk}/"


def test_it_preselects_the_default_model_and_the_language_of_the_page(
    alice_client: Client, account: ProviderAccount
) -> None:
    page = alice_client.get("/voices/new/").content.decode()
    assert f'<option value="{ENGINE}" selected>' in page
    assert '<option value="en" selected>' in page


def test_it_sends_what_was_changed_in_the_settings_and_nothing_else(
    alice_client: Client, account: ProviderAccount
) -> None:
    changed = {
        "aliyun.cosyvoice-v3-flash-max_prompt_audio_length": "20",
        "aliyun.cosyvoice-v3-flash-enable_preprocess": "",
    }
    alice_client.post("/voices/new/", filled(**changed))
    assert VoiceClone.objects.get().options == {"max_prompt_audio_length": 20.0}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": None}, "Please give the voice a name."),
        ({"sample": None}, "Record your voice, or choose a file."),
        ({"consent": None}, "without it no recording goes to a provider"),
        ({"sample": upload(silence(), "quiet.wav")}, "The recording is silent"),
        ({"sample": upload(b"", "empty.wav")}, "The file is empty."),
        ({"sample": upload(b"\x89PNG\r\n\x1a\n" + bytes(200), "voice.wav")}, "This is a PNG file"),
        ({"sample": upload(recording(WOMAN, 4), "short.wav")}, "at least 10 s are needed"),
        ({"aliyun.cosyvoice-v3-flash-max_prompt_audio_length": "99"}, "Give a number from 3 to 30."),
        ({"engine": "nobody/nothing"}, "Select a valid choice"),
    ],
)
def test_it_says_in_words_what_is_wrong_and_keeps_what_was_typed(
    alice_client: Client, account: ProviderAccount, changes: dict[str, Any], sentence: str
) -> None:
    answer = alice_client.post("/voices/new/", filled(**{"name": "Grandmother", **changes}))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert 'value="Grandmother"' in page or "name" in changes
    assert not VoiceClone.objects.exists()
    assert stored_files() == []


def test_it_tells_the_form_when_no_place_is_left(alice_client: Client, account: ProviderAccount) -> None:
    ProviderAccount.objects.update(voices_held=10)
    answer = alice_client.post("/voices/new/", filled())
    assert answer.status_code == 422
    assert "All voice places at this provider are taken." in answer.content.decode()


def test_it_refuses_a_file_that_is_too_large_in_words(
    alice_client: Client, account: ProviderAccount, settings: Settings
) -> None:
    settings.MAX_SAMPLE_BYTES = 1024 * 1024
    answer = alice_client.post("/voices/new/", filled(sample=upload(bytes(3 * 1024 * 1024))))
    assert answer.status_code == 422
    assert "The file is larger than 1 MB." in answer.content.decode()


def test_it_says_that_no_provider_is_open(alice_client: Client) -> None:
    page = alice_client.get("/voices/new/").content.decode()
    assert "No provider account is open for this right now." in page
    assert "<form id=" not in page


def test_it_answers_a_script_with_the_form_alone(alice_client: Client, account: ProviderAccount) -> None:
    answer = alice_client.post("/voices/new/", filled(name=None), headers=BY_HTMX)
    assert answer.status_code == 422
    assert answer.content.decode().lstrip().startswith('<form id="new-voice"')


# --- one voice -------------------------------------------------------------------------------------------------------


def test_it_shows_a_ready_voice_with_its_recording_and_a_place_to_speak(
    alice_client: Client, ready_voice: VoiceClone
) -> None:
    page = alice_client.get(f"/voices/{ready_voice.pk}/").content.decode()
    assert "This voice is ready. Give it something to say." in page
    assert f'src="/voices/{ready_voice.pk}/recording/"' in page
    assert 'data-stream="/speak/stream/"' in page
    assert "The provider took the recording and began to train." in page
    assert "12.0 s" in page
    assert "hx-trigger" not in page.split('id="voice-state"')[1].split(">")[0]


def test_it_says_why_a_voice_failed_and_what_to_do(alice: User, alice_client: Client, account: ProviderAccount) -> None:
    voice = voice_of(alice, account, state=State.FAILED, **failures.kept(ConsentMissing()))
    VoiceClone.objects.update(error_provider_code="Audio.Silent", provider_request_id="req-7")
    page = alice_client.get(f"/voices/{voice.pk}/").content.decode()
    assert "without it no recording goes to a provider" in page
    assert "You can train it again below" in page
    assert "Audio.Silent" in page
    assert "req-7" in page


def test_it_says_whose_turn_it_is_when_the_operator_must_act(
    alice: User, alice_client: Client, account: ProviderAccount
) -> None:
    voice = voice_of(alice, account, state=State.FAILED, error_sentence="This cannot be done.", error_action="operator")
    assert "tell the operator of this site" in alice_client.get(f"/voices/{voice.pk}/").content.decode()


@pytest.mark.parametrize("state", State.values)
def test_it_has_a_page_for_every_state(alice: User, alice_client: Client, account: ProviderAccount, state: str) -> None:
    voice = voice_of(alice, account, state=state)
    answer = alice_client.get(f"/voices/{voice.pk}/")
    assert answer.status_code == (404 if state == State.DELETED else 200)
    polls = f'hx-get="/voices/{voice.pk}/state/' in answer.content.decode()
    assert polls == (state in VoiceClone.IN_PROGRESS)


@pytest.mark.parametrize("kind", ["created", "renamed", "ready", "failed", "delete_failed", "something_new"])
def test_it_tells_every_event(alice: User, alice_client: Client, account: ProviderAccount, kind: str) -> None:
    voice = voice_of(alice, account)
    VoiceEvent.objects.create(row=voice, kind=kind)
    assert alice_client.get(f"/voices/{voice.pk}/").status_code == 200


def test_it_changes_the_page_only_when_something_has_changed(
    alice_client: Client, order_voice: Callable[..., VoiceClone]
) -> None:
    voice = order_voice()
    first = alice_client.get(f"/voices/{voice.pk}/state/")
    seen = first.content.decode().split("seen=")[1].split('"')[0]
    assert alice_client.get(f"/voices/{voice.pk}/state/?seen={seen}").status_code == 204
    drain()
    assert alice_client.get(f"/voices/{voice.pk}/state/?seen={seen}").status_code == 200


def test_it_reloads_the_page_once_the_voice_is_ready(
    alice_client: Client, order_voice: Callable[..., VoiceClone]
) -> None:
    voice = order_voice()
    finish(voice)
    assert alice_client.get(f"/voices/{voice.pk}/state/?seen=Training.2.")["HX-Refresh"] == "true"


def test_it_asks_the_provider_sooner_while_somebody_looks(
    alice_client: Client, order_voice: Callable[..., VoiceClone], sandbox: Sandbox
) -> None:
    sandbox.configure(train_seconds=60)
    voice = order_voice()
    drain()
    VoiceClone.objects.filter(pk=voice.pk).update(polled_at=None)
    sandbox.ledger.clear()
    alice_client.get(f"/voices/{voice.pk}/state/")
    drain()
    assert sandbox.ledger.entries(direction="in")


# --- what one does with a voice --------------------------------------------------------------------------------------


def test_it_renames_a_voice(alice: User, alice_client: Client, account: ProviderAccount) -> None:
    voice = voice_of(alice, account)
    answer = alice_client.post(f"/voices/{voice.pk}/rename/", {"name": "Aunt May"}, follow=True)
    assert "Aunt May" in answer.content.decode()
    assert "Renamed from “Annie” to “Aunt May”." in answer.content.decode()


def test_it_switches_repeats_on_and_off(alice: User, alice_client: Client, account: ProviderAccount) -> None:
    voice = voice_of(alice, account)
    for on, happened in (
        ("yes", "From now on it answers repeats with the audio that was kept."),
        ("no", "From now on every request is spoken anew."),
    ):
        page = alice_client.post(f"/voices/{voice.pk}/repeats/", {"on": on}, follow=True).content.decode()
        voice.refresh_from_db()
        assert voice.answers_repeats is (on == "yes")
        assert happened in page
        assert ("Switch off" if on == "yes" else "Switch on") in page


def test_it_keeps_a_name_that_will_not_do_in_the_form(
    alice: User, alice_client: Client, account: ProviderAccount
) -> None:
    voice = voice_of(alice, account)
    answer = alice_client.post(f"/voices/{voice.pk}/rename/", {"name": "  "})
    assert answer.status_code == 422
    assert "Please give the voice a name." in answer.content.decode()


def test_it_trains_again_from_the_same_recording(alice_client: Client, ready_voice: VoiceClone) -> None:
    alice_client.post(f"/voices/{ready_voice.pk}/retrain/", {"recording": "same"})
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.INIT
    assert ready_voice.samples.count() == 1


def test_it_trains_again_from_a_new_recording_with_consent_of_its_own(
    alice_client: Client, ready_voice: VoiceClone
) -> None:
    answer = alice_client.post(f"/voices/{ready_voice.pk}/retrain/", {"sample": upload(), "consent": "on"})
    assert answer["Location"] == f"/voices/{ready_voice.pk}/"
    assert ready_voice.consents.count() == 2


def test_it_says_what_is_wrong_with_a_new_recording(alice_client: Client, ready_voice: VoiceClone) -> None:
    form = {"sample": upload(silence(), "quiet.wav"), "consent": "on"}
    answer = alice_client.post(f"/voices/{ready_voice.pk}/retrain/", form, headers=BY_HTMX)
    assert answer.status_code == 422
    assert "The recording is silent" in answer.content.decode()
    assert answer.content.decode().lstrip().startswith('<form id="retrain"')


def test_it_comes_back_to_the_page_with_the_sentence_when_the_moment_is_wrong(
    alice: User, alice_client: Client, account: ProviderAccount
) -> None:
    voice = voice_of(alice, account, state=State.TRAINING)
    here = f"http://testserver/voices/{voice.pk}/"
    answer = alice_client.post(
        f"/voices/{voice.pk}/retrain/", {"recording": "same"}, headers={"referer": here}, follow=True
    )
    assert answer.redirect_chain == [(here, 302)]
    assert "This voice is still in work." in answer.content.decode()


def test_it_deletes_a_voice_at_once_for_its_owner(alice_client: Client, ready_voice: VoiceClone) -> None:
    answer = alice_client.post(f"/voices/{ready_voice.pk}/delete/", follow=True)
    assert "The voice “Annie” is being deleted." in answer.content.decode()
    finish(ready_voice)
    assert alice_client.get(f"/voices/{ready_voice.pk}/").status_code == 404


def test_it_plays_the_recording_from_any_place(alice_client: Client, ready_voice: VoiceClone) -> None:
    whole = alice_client.get(f"/voices/{ready_voice.pk}/recording/")
    assert whole["Content-Type"] == "audio/wav"
    assert whole.getvalue() == recording(WOMAN)
    whole.close()
    part = alice_client.get(f"/voices/{ready_voice.pk}/recording/", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.getvalue()) == (206, b"RIFF")
    part.close()


def test_it_has_no_recording_to_play_once_it_is_erased(
    alice: User, alice_client: Client, account: ProviderAccount
) -> None:
    voice = voice_of(alice, account)
    assert alice_client.get(f"/voices/{voice.pk}/recording/").status_code == 404


# --- strangers and visitors ------------------------------------------------------------------------------------------

GETS = ("", "state/", "recording/")
POSTS = ("rename/", "repeats/", "retrain/", "delete/")


@pytest.mark.parametrize("place", GETS)
def test_it_does_not_show_a_stranger_anything(charlie_client: Client, ready_voice: VoiceClone, place: str) -> None:
    assert charlie_client.get(f"/voices/{ready_voice.pk}/{place}").status_code == 404


@pytest.mark.parametrize("place", POSTS)
def test_it_lets_a_stranger_change_nothing(charlie_client: Client, ready_voice: VoiceClone, place: str) -> None:
    answer = charlie_client.post(
        f"/voices/{ready_voice.pk}/{place}", {"name": "Mine", "recording": "same", "on": "yes"}
    )
    assert answer.status_code == 404
    ready_voice.refresh_from_db()
    assert (ready_voice.name, ready_voice.state) == ("Annie", State.SUCCESS)
    assert not ready_voice.answers_repeats


def test_it_lists_nobody_elses_voices(alice: User, charlie_client: Client, account: ProviderAccount) -> None:
    voice_of(alice, account)
    assert "Annie" not in charlie_client.get("/voices/").content.decode()


@pytest.mark.parametrize("place", ["", "new/"])
def test_it_asks_a_visitor_to_log_in(visitor: Client, place: str) -> None:
    assert visitor.get(f"/voices/{place}")["Location"] == f"/accounts/login/?next=/voices/{place}"


# --- the list --------------------------------------------------------------------------------------------------------


def test_it_shows_the_next_step_where_there_is_nothing_yet(alice_client: Client) -> None:
    page = alice_client.get("/voices/").content.decode()
    assert "Your first voice is a few sentences away" in page
    assert 'href="/voices/new/"' in page


def test_it_walks_the_list_by_cursor_both_ways(alice: User, alice_client: Client, account: ProviderAccount) -> None:
    for number in range(45):
        voice_of(alice, account, name=f"Voice {number:02}")
    seen, address = [], "/voices/"
    while address:
        page = alice_client.get(address).context["page"]
        seen += [voice.name for voice in page.rows]
        address, newer = (f"/voices/?{page.older}" if page.older else ""), page.newer
    assert seen == [f"Voice {number:02}" for number in reversed(range(45))]
    back = alice_client.get(f"/voices/?{newer}").context["page"]
    assert [voice.name for voice in back.rows] == [f"Voice {number:02}" for number in reversed(range(5, 25))]


@pytest.mark.parametrize("cursor", ["before=nonsense", "before=2026_x", "after=%00", "before=99999999999T000000Z_1"])
def test_it_starts_anew_with_a_cursor_that_it_cannot_read(
    alice: User, alice_client: Client, account: ProviderAccount, cursor: str
) -> None:
    voice_of(alice, account)
    assert "Annie" in alice_client.get(f"/voices/?{cursor}").content.decode()


def test_it_refreshes_the_list_while_something_is_under_way(
    alice: User, alice_client: Client, account: ProviderAccount
) -> None:
    voice_of(alice, account)
    assert "hx-trigger" not in alice_client.get("/voices/").content.decode()
    voice_of(alice, account, state=State.TRAINING)
    assert 'hx-trigger="every 3s"' in alice_client.get("/voices/").content.decode()
    part = alice_client.get("/voices/", headers=BY_HTMX).content.decode()
    assert part.lstrip().startswith('<div id="voice-rows"')


def test_it_shows_the_whole_statement_in_the_reader_s_language(account: ProviderAccount, alice: User) -> None:
    chinese = Client(headers={"accept-language": "zh-CN"})
    chinese.force_login(alice)
    page = chinese.get("/voices/new/").content.decode()
    assert "我同意将录音提供给语音服务商" in page
    assert str(STATEMENT) in page
