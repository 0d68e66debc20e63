"""Audio and phonemes to frames, in the form the documents show or the form that was measured."""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import marks
from .breaking import break_line
from .line import Line
from .orders import Order
from .pieces import pieces

_FIRST, _MIDDLE, _LAST = 0, 1, 2


class Emitter:
    def __init__(self, line: Line, order: Order, *, frames: Literal["live", "doc"]) -> None:
        self._line = line
        self._order = order
        self._frames = frames
        self._pieces = pieces(order.codec, rate=order.rate, frames=frames)
        self._held: list[bytes] = []
        self._tag = marks.id3(line.sid) if order.hidden_mark and order.codec == "lame" else b""
        self._notes = "{0:147}" if order.phonemes and frames == "doc" else ""
        self._sequence = 0
        self._done = 0
        self._cost = 0
        self._sent = 0

    def charge(self, characters: int, *, done: int) -> None:
        """A sentence begins: billed with the next frame, and its bytes count as synthesised."""
        self._cost += characters
        self._done += done

    def note(self, track: str) -> None:
        """Phonemes for the next frame."""
        self._notes += track

    async def add(self, samples: NDArray[np.float32]) -> None:
        """Samples at speaking.RATE; sends the frames that are full."""
        ready = await self._line.state.studio.work(lambda: self._pieces.add(samples))
        for piece in ready:
            await self._piece(piece)

    async def finish(self) -> None:
        rest = await self._line.state.studio.work(self._pieces.finish)
        for piece in rest:
            await self._piece(piece)
        if self._frames == "live":
            await self._send(b"", _LAST)
            return
        last = self._held.pop() if self._held else b""
        if not self._sent and len(last) > 1 and not self._order.codec.startswith("opus"):
            await self._send(last[: len(last) // 2], _FIRST)
            last = last[len(last) // 2 :]
        await self._send(last, _LAST)

    async def _piece(self, piece: bytes) -> None:
        """The documents' last frame has audio, so there one piece is always held back."""
        piece, self._tag = self._tag + piece, b""
        if self._frames == "live":
            await self._send(piece, _MIDDLE)
            return
        if self._held:
            await self._send(self._held.pop(), _MIDDLE if self._sent else _FIRST)
        self._held.append(piece)

    async def _send(self, audio: bytes, status: int) -> None:
        order = self._order
        payload: dict[str, Any] = {
            "audio": {
                "encoding": order.codec,
                "sample_rate": order.rate,
                "channels": 1,
                "bit_depth": 16,
                "status": status,
                "seq": self._sequence,
                "frame_size": 0,
                "ced": str(self._done),
                "audio": base64.b64encode(audio).decode(),
            }
        }
        if order.phonemes:
            text, self._notes = base64.b64encode(self._notes.encode()).decode(), ""
            payload["pybuf"] = {
                "encoding": "utf8",
                "compress": "raw",
                "format": "plain",
                "status": status,
                "seq": self._sequence,
                "text": text,
            }
        self._sequence += 1
        cost, self._cost = self._cost, 0
        await self._line.send(status, payload, characters=cost, voice_id=order.voice_id)
        self._sent += 1
        fault = self._line.fault
        if fault and fault.how == "drip":
            await self._line.pause(fault.seconds)
        if fault and fault.at == "after" and self._sent == fault.frame:
            await break_line(self._line)
