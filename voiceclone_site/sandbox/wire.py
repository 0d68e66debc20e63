"""Breaking connections on purpose."""

from __future__ import annotations

import socket
import struct

from aiohttp import web


def drop(request: web.Request) -> None:
    """Close the TCP connection without another byte."""
    if request.transport is not None:
        request.transport.abort()


def reset(request: web.Request) -> None:
    """Send a TCP reset: the peer sees ECONNRESET rather than an end of file."""
    if request.transport is None:
        return
    peer = request.transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
