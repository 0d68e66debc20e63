"""What only one portal can have at a time: a port, a data folder."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import IO

# A portal that was killed a moment ago may still be letting go.
PATIENCE = 2.0


class Taken(Exception):
    """The message says by whom, and what to do."""


def need_port(host: str, port: int, *, setting: str) -> None:
    """Raises Taken when nobody could listen there now."""
    until = time.monotonic() + PATIENCE
    while (why := _refusal(host, port)) is not None:
        if time.monotonic() > until:
            raise Taken(
                f"Port {port} on {host} cannot be used ({why}). Stop what is using it, or choose another: "
                f"{setting}={port + 1} script/server"
            )
        time.sleep(0.1)


def number_of_port(text: str, *, setting: str) -> int:
    """Raises Taken for what is no port number."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise Taken(f"{setting} is {text!r}; give a port number from 1 to 65535, such as {setting}=8000.")
    return int(text)


def hold_folder(folder: Path) -> IO[str]:
    """Ours until the returned file is closed, or we die. Raises Taken when another supervisor has it."""
    folder.mkdir(parents=True, exist_ok=True)
    held = (folder / "server.lock").open("a+")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        owner = held.read().strip() or "unknown"
        held.close()
        raise Taken(
            f"Another script/server (process {owner}) is running on {folder}. Stop it, or give this one a folder of its own: "
            "DATA_DIR=somewhere-else script/server"
        ) from None
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def _refusal(host: str, port: int) -> str | None:
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except OSError as error:
            return error.strerror
    return None
