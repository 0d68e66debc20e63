"""The toy's sandbox: a loopback server that trains at once and whistles whatever it is given."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import Any

from tests.providers.loopback import HttpRequest, Peer

KEY = "toy-key-1"
TONE = b"".join(struct.pack("<h", int(8000 * math.sin(number / 5))) for number in range(1600))


@dataclass
class ToyStudio:
    voices: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, peer: Peer) -> None:
        request = peer.read_request()
        while True:
            self.asked.append(request.line)
            if "upgrade" in request.headers.get("connection", "").lower():
                self._whistle(peer, request)
                return
            status, said = self._answer(request)
            peer.answer(status, json.dumps(said))
            request = peer.read_request()

    def _answer(self, request: HttpRequest) -> tuple[int, dict[str, Any]]:
        method, path, _version = request.line.split()
        voice_id = path.removeprefix("/voices").strip("/")
        if request.headers.get("x-toy-key") != KEY:
            return 401, _no("T-1", "this key opens no box")
        if voice_id and voice_id not in self.voices:
            return 404, _no("T-404", "no such voice")
        if method == "POST" and not voice_id:
            told = json.loads(request.body)
            made = {"id": f"toy-{len(self.voices) + 1}", "tag": told["tag"], "state": "humming"}
            self.voices[made["id"]] = made
            return 200, {"voice": made}
        if method == "GET":
            answer = {"voices": [dict(voice) for voice in self.voices.values()]}
            for voice in self.voices.values():
                voice["state"] = "ready"
            return 200, answer
        if method == "DELETE":
            return 200, {"voice": self.voices.pop(voice_id)}
        return 200, {"voice": self.voices[voice_id]}

    def _whistle(self, peer: Peer, request: HttpRequest) -> None:
        peer.upgrade(request)
        told = json.loads(peer.read_text())
        if "?" in told["text"]:
            peer.send_text(_no("T-9", "no question marks"))
        else:
            for _character in told["text"]:
                peer.send_binary(TONE)
            peer.send_text({"code": "ok"})
        peer.wait_until_left()


def _no(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "request": "toy-request-7"}
