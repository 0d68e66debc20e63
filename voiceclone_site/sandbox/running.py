"""A sandbox inside this process, for tests: its own thread, its own event loop, a free port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from .options import Options
from .remote import Sandbox
from .server import serve

_START_SECONDS = 30
_STOP_SECONDS = 30


@contextmanager
def running(options: Options) -> Iterator[Sandbox]:
    """Run a sandbox until the block ends. Raises OSError when the port is taken."""
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        await serve(options, started=lambda port: started.set_result((port, loop, stop)), stop=stop)

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    port, loop, stop = started.result(_START_SECONDS)
    try:
        yield Sandbox(port)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_STOP_SECONDS)
