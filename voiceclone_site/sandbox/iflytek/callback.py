"""Telling the address of task/add that a training has ended. Only this machine is told anything."""

from __future__ import annotations

import aiohttp
from yarl import URL

from ..fetching import is_loopback
from ..state import State
from .exchange import PROVIDER

OPERATION = "ifly:callback"
_SECONDS = 5.0


async def send(state: State, *, account: str, url: str, body: dict[str, str]) -> None:
    """POST once, all values strings; the ledger keeps the status, or why there is none."""
    status, trouble = await _delivered(url, body)
    state.ledger.write(
        provider=PROVIDER,
        account=account,
        operation=OPERATION,
        direction="out",
        status=status,
        body={"url": url, "trouble": trouble, **body},
    )


async def _delivered(url: str, body: dict[str, str]) -> tuple[int, str]:
    try:
        if not is_loopback(URL(url).host):
            return 0, "the sandbox reaches only this machine"
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.post(url, json=body, allow_redirects=False) as response,
        ):
            return response.status, ""
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        return 0, type(error).__name__
