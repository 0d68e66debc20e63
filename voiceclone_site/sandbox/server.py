"""One process, one loopback port, every provider at its own paths."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable

from aiohttp import web
from yarl import URL

from . import aliyun, control, iflytek, qiniu, store
from .fetching import is_loopback
from .ledger import Ledger
from .options import Options
from .state import STATE, State
from .studio import Studio

HOST = "127.0.0.1"
# A provider is a module with NAME, install(app) and banner(origin, options).
PROVIDERS = (aliyun, qiniu, iflytek)
_LARGEST_BODY = 16 * 1024 * 1024
_SHUTDOWN_SECONDS = 1.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Neither a peer that is not this machine, nor a foreign page in a browser that runs on it, reaches the sandbox."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    named = _is_ours(f"http://{request.host}") and _is_ours(request.headers.get("Origin", f"http://{HOST}"))
    if not named or (peer and not is_loopback(peer[0])):
        return web.Response(status=403, text="The sandbox answers only on this machine: use 127.0.0.1 or localhost.\n")
    return await handler(request)


def _is_ours(address: str) -> bool:
    """This machine, or a vendor's host that an official SDK asks for through HTTP_PROXY."""
    try:
        host = URL(address).host
    except ValueError:
        return False
    return is_loopback(host) or host in iflytek.HOSTS


def application(options: Options, connection: sqlite3.Connection) -> web.Application:
    app = web.Application(middlewares=[_only_from_here], client_max_size=_LARGEST_BODY)
    app[STATE] = State(options, connection, Ledger(connection), Studio(connection))
    control.install(app)
    for provider in PROVIDERS:
        provider.install(app)
    app.on_cleanup.append(_close)
    return app


async def _close(app: web.Application) -> None:
    await app[STATE].studio.close()
    app[STATE].connection.close()


async def serve(options: Options, *, started: Callable[[int], None], stop: asyncio.Event) -> None:
    """Run until `stop` is set; `started` is told the port. Raises OSError when the port is taken."""
    runner = web.AppRunner(
        application(options, store.connect(options.data_dir)),
        access_log=None,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    try:
        await runner.setup()
        site = web.TCPSite(runner, HOST, options.port)
        await site.start()
        started(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()
