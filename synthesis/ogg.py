"""How long an Ogg Opus file is, by the positions its pages carry (RFC 3533 and 7845)."""

from __future__ import annotations

from collections.abc import Iterator

from synthesis.errors import UnreadableAudio

OPUS_RATE = 48000
"""Hz; positions count samples at this rate, whatever was encoded."""
_HEADER = 27
_NO_PACKET_ENDS = -1


def opus_seconds(data: bytes) -> float:
    """Of all streams in a row. Raises UnreadableAudio when there is none."""
    total, position, streams = 0, 0, 0
    for granule, body in _pages(data):
        if body[:8] == b"OpusHead":
            streams += 1
            total += max(0, position)
            position = -int.from_bytes(body[10:12], "little")  # pre-skip
            skip = position
        elif streams and granule != _NO_PACKET_ENDS:
            position = granule + skip
    if not streams:
        raise UnreadableAudio(detail=f"no Opus stream in {len(data)} bytes, which begin with {data[:4]!r}")
    return (total + max(0, position)) / OPUS_RATE


def _pages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Granule position and body of each whole page."""
    at = 0
    while (at := data.find(b"OggS", at)) != -1:
        lacing = data[at + _HEADER : at + _HEADER + data[at + 26]] if at + _HEADER <= len(data) else b""
        start = at + _HEADER + len(lacing)
        end = start + sum(lacing)
        if not lacing or end > len(data):
            return
        yield int.from_bytes(data[at + 6 : at + 14], "little", signed=True), data[start:end]
        at = end
