"""Aliyun CosyVoice over DashScope: enrollment by REST, speech by WebSocket.

Only what has to be known to call it stands here; sources are the vendor's Model Studio pages (cosyvoice-clone-api,
cosyvoice-websocket-api, error-code), October 2026.
"""

from __future__ import annotations

from voices.providers.aliyun.auth import bearer
from voices.providers.aliyun.cloning import AliyunCloning
from voices.providers.aliyun.errors import BOOK
from voices.providers.aliyun.speech import AliyunSpeech
from voices.providers.aliyun.traits import TRAITS
from voices.providers.base import Account, Provider
from voices.providers.http import HttpClient

__all__ = ["BOOK", "TRAITS", "build"]


def build(account: Account) -> Provider:
    """Raises ConfigurationError when the key could not be sent as it is."""
    headers = bearer(account.credentials["api_key"])
    secrets = (account.credentials["api_key"],)
    client = HttpClient(
        provider=TRAITS.slug, account_key=account.key, base_url=account.endpoints["http"], secrets=secrets
    )
    cloning = AliyunCloning(client=client, headers=headers, pace=account.pace)
    return Provider(
        traits=TRAITS,
        cloning=cloning,
        inventory=cloning,
        speech=AliyunSpeech(
            account_key=account.key, url=account.endpoints["websocket"], headers=headers, secrets=secrets
        ),
    )
