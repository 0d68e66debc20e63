"""Where the web server listens, and how long it has patience with a connection that takes nothing in."""

from __future__ import annotations

import socket

import uvicorn

PATIENCE = 60.0
"""Seconds in which whoever is at the other end has to take something in, or to send something that was announced; whoever does not
is taken to have left."""


def listener(config: uvicorn.Config, *, patience: float = PATIENCE) -> socket.socket:
    """The kernel breaks off what has taken nothing in for `patience` seconds (Linux): a server that closes a connection would wait
    for ever until its reader has taken in what was sent last.

    Ends the process when the address is taken, as uvicorn does.
    """
    made = config.bind_socket()
    made.set_inheritable(False)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(patience * 1000))
    return made
