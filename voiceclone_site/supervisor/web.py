"""The web server: `python -m voiceclone_site.supervisor.web`. One process, one event loop; Django in THREADS threads beside it."""

from __future__ import annotations

import gc
import os
import sys

import uvicorn

from voiceclone_site.listening import listener
from voiceclone_site.supervisor.http import HeadWithBody

KEEP_ALIVE = 15
# Threads that speak to the database must not keep the event loop waiting for Python's usual 5 ms whenever it has something to do.
SWITCH_INTERVAL = 0.0005
FAILED_TO_START = 3
COLLECT_AFTER = 10_000
"""Objects made and not gone yet, before the collector looks through the young ones: hundreds of streams make as many at once."""


def main() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL)
    config = uvicorn.Config(
        "voiceclone_site.asgi:application",
        host=os.environ.get("HOST") or "127.0.0.1",
        port=int(os.environ.get("PORT") or "8000"),
        loop="uvloop",
        http=HeadWithBody,
        ws="none",
        lifespan="on",
        # The application logs what was asked, and Django's settings say how.
        log_config=None,
        access_log=False,
        # Whom to believe about a proxy is for Django to say (BEHIND_PROXY).
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        # What is being spoken may end; what has not by then is broken off, and its row says so.
        timeout_graceful_shutdown=int(os.environ.get("STOP_SECONDS") or "10"),
        backlog=2048,
    )
    config.load()
    _spare_the_collector()
    server = uvicorn.Server(config)
    server.run(sockets=[listener(config)])
    if not server.started:
        sys.exit(FAILED_TO_START)


def _spare_the_collector() -> None:
    """What has been imported stays: looked through again and again it costs a rush of requests a tenth of its CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


if __name__ == "__main__":
    main()
