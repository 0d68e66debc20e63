"""uvicorn's HTTP, with one difference: the head of an answer leaves together with the first of its body.

uvicorn writes each of them at once, and a call of the system costs as much as all else that is done for a piece of sound.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class HeadWithBody(HttpToolsProtocol):
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        cycle = self.cycle
        # A request to upgrade has none of its own.
        if cycle is not None and not cycle.response_started:
            cycle.transport = _Held(cycle, self.transport)  # type: ignore[assignment]


class _Held:
    """The transport as an answer sees it until its body begins."""

    def __init__(self, cycle: RequestResponseCycle, transport: asyncio.Transport) -> None:
        self._cycle = cycle
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if not self._cycle.response_started:
            # 100 Continue.
            self._transport.write(data)
        elif not self._head:
            self._head = data
        else:
            self._cycle.transport = self._transport
            self._transport.write(self._head + data)

    def close(self) -> None:
        """Also of an answer that came no further than its head."""
        self._cycle.transport = self._transport
        if self._head:
            self._transport.write(self._head)
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
