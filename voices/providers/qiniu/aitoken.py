"""Qiniu with the experiment switched on: its clones are given to the speech of its AI-inference product, which lists no promise to
take them. Stands in for the package itself where the settings say so; docs/providers.md tells what is known and what is not."""

from __future__ import annotations

from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from voices.providers import qiniu
from voices.providers.base import Account, Pace, Parameter, Provider
from voices.providers.http import HttpClient
from voices.providers.qiniu.auth import bearer
from voices.providers.qiniu.speech import FORMAT, MAX_CHARACTERS, SPEED, QiniuSpeech
from voices.providers.qiniu.speech_errors import SPEECH_BOOK
from voices.providers.qiniu.traits import SLUG
from voices.providers.qiniu.voice_list import READ_SECONDS, VoiceList, address_beside

__all__ = ["BOOK", "TRAITS", "build"]

SLOWEST, FASTEST = 0.5, 2.0
# Neither asked for nor told: MP3 says itself what it is, and this stands in the row until it has been read.
USUAL_RATE = 24_000

BOOK = (*qiniu.BOOK, *SPEECH_BOOK)

_SPEED = Parameter(
    name=SPEED,
    kind="number",
    label=_("Speed"),
    help=_("How fast it speaks; 1 is the voice's own pace."),
    default=1.0,
    minimum=SLOWEST,
    maximum=FASTEST,
    step=0.1,
)

TRAITS = replace(
    qiniu.TRAITS,
    models=tuple(
        replace(model, speech=frozenset({SPEED}), audio_formats=frozenset({FORMAT})) for model in qiniu.TRAITS.models
    ),
    speech=(_SPEED,),
    audio_formats=(FORMAT,),
    sample_rates=(USUAL_RATE,),
    default_format=FORMAT,
    default_sample_rate=USUAL_RATE,
    max_characters=MAX_CHARACTERS,
    credential_names=("api_key", "tts_api_key"),
    endpoint_names=("http", "tts"),
    can_synthesize=True,
    speech_is_experimental=True,
    pace=Pace(SPEED, slowest=SLOWEST, fastest=FASTEST, said=lambda factor: round(factor, 2)),
    speech_note=_(
        "An experiment: Qiniu does not promise that its speech service takes cloned voices. A voice speaks only while that service "
        "lists it; otherwise nothing is sent, and its demo can still be heard."
    ),
)


def build(account: Account) -> Provider:
    """Raises ConfigurationError when a key could not be sent as it is, and for a speech address that is none."""
    key, url = account.credentials["tts_api_key"], account.endpoints["tts"]
    headers = bearer(key)
    client = HttpClient(
        provider=SLUG,
        account_key=account.key,
        base_url=address_beside(url),
        secrets=(key,),
        read_seconds=READ_SECONDS,
    )
    speech = QiniuSpeech(
        account_key=account.key,
        url=url,
        headers=headers,
        secrets=(key,),
        voices=VoiceList(client=client, headers=headers),
    )
    return replace(qiniu.build(account), traits=TRAITS, speech=speech)
