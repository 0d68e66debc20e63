"""iFlytek (讯飞): voices trained over HTTP, speech of cloned and of stock voices over WebSocket.

Only what has to be known to call it stands here; sources are the vendor's pages on voice cloning (声音复刻) and super-humanoid
speech (超拟人合成), its own clients and its gateway's source, October 2026.
"""

from __future__ import annotations

from voices.providers.base import Account, Provider
from voices.providers.http import HttpClient
from voices.providers.iflytek.auth import Tokens, credentials
from voices.providers.iflytek.cloning import IflytekCloning
from voices.providers.iflytek.errors import BOOK
from voices.providers.iflytek.speech import IflytekSpeech
from voices.providers.iflytek.steps import IflytekSteps
from voices.providers.iflytek.training import Training
from voices.providers.iflytek.traits import SLUG, TRAITS

__all__ = ["BOOK", "TRAITS", "build"]


def build(account: Account) -> Provider:
    """Raises ConfigurationError when a credential could not be sent as it is."""
    known = credentials(account.credentials)

    def client(endpoint: str) -> HttpClient:
        return HttpClient(
            provider=SLUG, account_key=account.key, base_url=account.endpoints[endpoint], secrets=known.secrets
        )

    speech = IflytekSpeech(
        account_key=account.key,
        credentials=known,
        clone_url=account.endpoints["clone"],
        stock_url=account.endpoints["tts"],
    )
    training = Training(client=client("train"), tokens=Tokens(client=client("token"), credentials=known))
    return Provider(
        traits=TRAITS,
        cloning=IflytekCloning(training=training, speech=speech, pace=account.pace),
        speech=speech,
        steps=IflytekSteps(training=training),
    )
