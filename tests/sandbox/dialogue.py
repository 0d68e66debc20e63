"""A plain client of the synthesis socket, written frame by frame, for what the official SDK cannot say."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import websocket

from tests.sandbox_server import ALIYUN_KEY
from voiceclone_site.sandbox.remote import Sandbox

_SECONDS = 20.0


@dataclass
class Heard:
    events: list[dict[str, Any]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    """Names of events and sub-events, and "audio", as they came."""
    messages: list[bytes] = field(default_factory=list)

    @property
    def audio(self) -> bytes:
        return b"".join(self.messages)

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def characters(self) -> int:
        return int(self.last["payload"]["usage"]["characters"])

    def outputs(self, kind: str) -> list[dict[str, Any]]:
        found = [event["payload"].get("output", {}) for event in self.events]
        return [output for output in found if output.get("type") == kind]


class Dialogue:
    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket = socket
        self.task_id = ""

    def run(self, *, model: str, voice: str, **parameters: Any) -> None:
        """run-task, with a new task id."""
        self.task_id = uuid.uuid4().hex
        payload = {
            "model": model,
            "task_group": "audio",
            "task": "tts",
            "function": "SpeechSynthesizer",
            "input": {},
            "parameters": {"voice": voice, "text_type": "PlainText", **parameters},
        }
        self.send("run-task", payload)

    def say(self, text: str) -> None:
        self.send("continue-task", {"input": {"text": text}})

    def finish(self, **given: Any) -> None:
        self.send("finish-task", {"input": given})

    def send(self, action: str, payload: dict[str, Any], **header: Any) -> None:
        head = {"action": action, "task_id": self.task_id, "streaming": "duplex", **header}
        self.socket.send(json.dumps({"header": head, "payload": payload}))

    def hear(self, until: str = "task-finished") -> Heard:
        """Take what comes until an event or sub-event of this name, or task-failed, or the end of the connection."""
        heard = Heard()
        while True:
            opcode, data = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                heard.order.append("close")
                return heard
            if opcode == websocket.ABNF.OPCODE_BINARY:
                heard.messages.append(data)
                heard.order.append("audio")
                continue
            event = json.loads(data)
            heard.events.append(event)
            name = event["payload"].get("output", {}).get("type") or event["header"]["event"]
            heard.order.append(name)
            if name in (until, "task-failed"):
                return heard


@contextmanager
def dialogue(sandbox: Sandbox, key: str = ALIYUN_KEY, path: str = "") -> Iterator[Dialogue]:
    socket = websocket.create_connection(
        sandbox.aliyun_websocket + path, header={"Authorization": f"bearer {key}"}, timeout=_SECONDS
    )
    try:
        yield Dialogue(socket)
    finally:
        socket.close()
        # After the server's close frame websocket-client takes close() for done, and leaves the socket open.
        socket.shutdown()  # type: ignore[no-untyped-call]


def spoken(sandbox: Sandbox, *, model: str, voice: str, text: str, **parameters: Any) -> Heard:
    """One whole task on a connection of its own; everything after task-started."""
    with dialogue(sandbox) as talk:
        talk.run(model=model, voice=voice, **parameters)
        if (started := talk.hear("task-started")).order[-1] == "task-failed":
            return started
        talk.say(text)
        talk.finish()
        return talk.hear()
