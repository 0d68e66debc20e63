"""What goes wrong at a provider, explained to its owner and ready to be sent to the provider's support by the operator."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from django.test import Client
from django.utils.translation import override

from synthesis import services as speech
from synthesis.models import SynthesisJob
from tests.cast import browser_of
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import VoiceClone
from voices.tickets import ticket


def failed_voice(order_voice: Callable[..., VoiceClone], sandbox: Sandbox) -> VoiceClone:
    sandbox.fail(
        operation="create_voice", how="error", status=430, code="Audio.DecoderError", message="Decoder failed."
    )
    voice = finish(order_voice())
    assert voice.state == VoiceClone.State.FAILED
    return voice


def failed_job(voice: VoiceClone, sandbox: Sandbox) -> SynthesisJob:
    sandbox.fail(
        operation="synthesis", how="error", code="InvalidParameter", message="[tts:]Engine return error code: 418"
    )
    job: SynthesisJob = speech.submit(speech.check(voice.owner, voice=voice, text="A secret thought."))
    return finish(job)


def ticket_on(page: bytes) -> str:
    (found,) = re.findall(r'<pre class="ticket">(.*?)</pre>', page.decode(), re.DOTALL)
    return html.unescape(found)


def test_it_tells_an_owner_what_the_providers_code_means(
    order_voice: Callable[..., VoiceClone], sandbox: Sandbox, alice_client: Client, charlie_client: Client
) -> None:
    voice = failed_voice(order_voice, sandbox)
    page = alice_client.get(f"/voices/{voice.pk}/").content.decode()
    assert "The file is damaged, or is not what its name says." in page
    link = "/help/errors/?q=Audio.DecoderError#aliyun-enrollment-audio-decodererror"
    assert html.escape(link) in page
    assert charlie_client.get(f"/voices/{voice.pk}/").status_code == 404


def test_it_writes_the_ticket_of_a_voice(
    order_voice: Callable[..., VoiceClone], sandbox: Sandbox, dana_client: Client
) -> None:
    voice = failed_voice(order_voice, sandbox)
    written = ticket_on(dana_client.get(f"/admin/voices/voiceclone/{voice.pk}/change/").content)
    assert written == ticket(voice)
    lines = dict(line.split(": ", 1) for line in written.splitlines())
    assert lines["Provider"] == "aliyun"
    assert lines["Service"] == "enrollment"
    assert lines["Call"] == "make a voice"
    assert lines["Code"] == "Audio.DecoderError"
    assert lines["Request id / sid"] == voice.provider_request_id != ""
    assert lines["Our id"] == f"voiceclone {voice.pk}"
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", lines["Time"])


def test_it_writes_the_ticket_of_a_job_without_its_text_or_a_secret(
    ready_voice: VoiceClone, sandbox: Sandbox, dana_client: Client
) -> None:
    job = failed_job(ready_voice, sandbox)
    SynthesisJob.objects.filter(pk=job.pk).update(error_detail=f"{job.error_detail} sk-sandbox-aliyun-1")
    written = ticket_on(dana_client.get(f"/admin/synthesis/synthesisjob/{job.pk}/change/").content)
    assert "Call: speak" in written
    assert "Code: InvalidParameter" in written
    assert f"Voice at the provider: {ready_voice.remote_id}" in written
    assert "sk-sandbox" not in written
    assert "thought" not in written


def test_it_reads_alike_in_every_language(order_voice: Callable[..., VoiceClone], sandbox: Sandbox) -> None:
    voice = failed_voice(order_voice, sandbox)
    with override("zh-hans"):
        assert ticket(voice).splitlines()[0] == "Provider: aliyun"


def test_it_offers_no_ticket_where_nothing_went_wrong(ready_voice: VoiceClone, dana_client: Client) -> None:
    page = dana_client.get(f"/admin/voices/voiceclone/{ready_voice.pk}/change/").content
    assert b'class="ticket"' not in page


def test_it_shows_tickets_to_staff_alone(order_voice: Callable[..., VoiceClone], sandbox: Sandbox, alice: User) -> None:
    voice = failed_voice(order_voice, sandbox)
    answer = browser_of(alice).get(f"/admin/voices/voiceclone/{voice.pk}/change/")
    assert answer.status_code in (302, 403)
