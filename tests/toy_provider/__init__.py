"""A fourth provider, as small as one can be: it trains from an upload in one call, and speaks PCM over a WebSocket.

It follows docs/adding-a-provider.md file by file; `studio.py` is its sandbox.
"""

from __future__ import annotations

from tests.toy_provider.auth import knock
from tests.toy_provider.cloning import ToyCloning
from tests.toy_provider.errors import BOOK
from tests.toy_provider.speech import ToySpeech
from tests.toy_provider.traits import TRAITS
from voices.providers.base import Account, Provider
from voices.providers.http import HttpClient

__all__ = ["BOOK", "TRAITS", "build"]


def build(account: Account) -> Provider:
    key = account.credentials["key"]
    client = HttpClient(
        provider=TRAITS.slug, account_key=account.key, base_url=account.endpoints["http"], secrets=(key,)
    )
    speech = ToySpeech(account_key=account.key, url=account.endpoints["ws"], headers=knock(key))
    return Provider(traits=TRAITS, cloning=ToyCloning(client=client, headers=knock(key)), speech=speech)
