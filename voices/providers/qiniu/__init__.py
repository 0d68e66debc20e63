"""Qiniu LinX (灵矽AI) voice clones: places, training and demos by REST. It publishes no speech for them.

Sources: the vendor's voice-clone page in its revision of 2025-08 (`model_id`) and of 2026-05-22 (`language`, `tier`), read
2026-11; its sibling pages for what the clone page leaves out. What neither says is marked where it matters.
"""

from __future__ import annotations

from voices.providers.base import Account, Provider
from voices.providers.http import HttpClient
from voices.providers.qiniu.auth import bearer
from voices.providers.qiniu.cloning import QiniuCloning
from voices.providers.qiniu.errors import BOOK
from voices.providers.qiniu.traits import TRAITS

__all__ = ["BOOK", "TRAITS", "build"]


def build(account: Account) -> Provider:
    """Raises ConfigurationError when the key could not be sent as it is. The endpoint `demo_hosts` is optional: host names,
    separated by commas, from which (and from beneath which) a demo may be fetched besides the API's own host."""
    client = HttpClient(
        provider=TRAITS.slug,
        account_key=account.key,
        base_url=account.endpoints["http"],
        secrets=(account.credentials["api_key"],),
    )
    hosts = (host.strip() for host in account.endpoints.get("demo_hosts", "").split(","))
    cloning = QiniuCloning(
        client=client,
        headers=bearer(account.credentials["api_key"]),
        demo_hosts=tuple(host for host in hosts if host),
        pace=account.pace,
    )
    return Provider(traits=TRAITS, cloning=cloning, speech=None, places=cloning, inventory=cloning, demos=cloning)
