"""The least that a relay can do in this language: `python -m tests.benchmarks.bare PORT UPSTREAM_PORT [--rows]`.

It asks nobody who is asking, writes nothing down and checks nothing: what the portal takes beyond this is what it does. And as
machines differ, and one machine from hour to hour, it says how fast this one is. With `--rows` it looks one voice up by the ORM
for each request, and writes one job, in a thread, before it asks the provider: the plainest that could be called a portal.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import httptools

from tests.benchmarks.clients import RawClient


class BareRelay(asyncio.Protocol):
    """One connection of a client's; one request at a time, each by a kept connection to the provider."""

    def __init__(self, upstream_port: int, idle: list[Upstream], note: Callable[[str, str], None] | None) -> None:
        self._upstream_port = upstream_port
        self._idle = idle
        self._note = note
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by name.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        asked = json.loads(self._body)
        if self._note is None:
            self._ask(asked["text"])
        else:
            noting = asyncio.get_running_loop().run_in_executor(
                _threads, partial(self._note, asked["voice"], asked["text"])
            )
            noting.add_done_callback(lambda _noted: self._ask(asked["text"]))

    def _ask(self, text: str) -> None:
        self._head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\nTransfer-Encoding: chunked\r\n\r\n"
        if self._idle:
            self._idle.pop().begin(self, text)
        else:
            self._opening = asyncio.get_running_loop().create_task(self._open(text))

    async def _open(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        _transport, upstream = await loop.create_connection(
            lambda: Upstream(self._idle), "127.0.0.1", self._upstream_port
        )
        await upstream.ready()
        upstream.begin(self, text)

    def pass_on(self, piece: bytes) -> None:
        self._transport.write(b"%b%x\r\n%b\r\n" % (self._head, len(piece), piece))
        self._head = b""

    def end(self) -> None:
        self._transport.write(b"0\r\n\r\n")


class Upstream(RawClient):
    """A raw client that keeps nothing."""

    def __init__(self, idle: list[Upstream]) -> None:
        super().__init__()
        self._idle = idle
        self._text = ""

    def begin(self, relay: BareRelay, text: str) -> None:
        self._relay, self._text = relay, text
        self._say("run-task", {})

    def heard(self, piece: bytes) -> None:
        self._relay.pass_on(piece)

    def told(self, event: bytes) -> None:
        if b"task-started" in event:
            self._say("continue-task", {"text": self._text})
            self._say("finish-task", {})
        elif b"task-finished" in event:
            self._idle.append(self)
            self._relay.end()


_threads = ThreadPoolExecutor(1)


def by_the_orm() -> Callable[[str, str], None]:
    """One look-up and one insert."""
    import django

    django.setup()

    from synthesis.models import SynthesisJob
    from voices.models import VoiceClone

    def note(voice_id: str, text: str) -> None:
        voice = VoiceClone.objects.select_related("owner").get(pk=voice_id)
        assert voice.owner is not None
        SynthesisJob.objects.create(
            owner=voice.owner,
            voice=voice,
            provider=voice.provider,
            model=voice.model,
            mode=SynthesisJob.Mode.STREAM,
            state=SynthesisJob.State.SUCCESS,
            text=text,
            audio_format="pcm",
            sample_rate=24000,
            characters_expected=len(text),
        )

    return note


async def serve(port: int, upstream_port: int, note: Callable[[str, str], None] | None) -> None:
    idle: list[Upstream] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BareRelay(upstream_port, idle, note), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), by_the_orm() if "--rows" in sys.argv else None))
