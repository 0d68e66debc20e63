"""How long an MP3 is, by counting its frames (ISO/IEC 11172-3 and 13818-3; the tag in the first frame: Xing and LAME).

Layer III only. Junk between frames, ID3 tags and several files in a row are taken in stride: a long text comes in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

from synthesis.errors import UnreadableAudio

_KBPS_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # MPEG 1, 2, 2.5
_LAYER_III = 1
_LAME_DELAYS_AT = 141


@dataclass(frozen=True, slots=True)
class Duration:
    seconds: float
    sample_rate: int


@dataclass(frozen=True, slots=True)
class _Frame:
    length: int
    samples: int
    sample_rate: int
    tag_at: int
    """Where a Xing or Info tag would stand: behind the side information."""


def duration(data: bytes) -> Duration:
    """Encoder delay and padding are taken off where the encoder noted them. Raises UnreadableAudio without a single frame."""
    at, seconds, sample_rate = _after_id3(data, 0), 0.0, 0
    while (at := data.find(b"\xff", at)) != -1:
        frame = _frame(data, at)
        if frame is None or not _goes_on(data, at + frame.length):
            at += 1
            continue
        sample_rate = frame.sample_rate
        tag = data[at + frame.tag_at : at + frame.length]
        samples = -_delays(tag) if tag[:4] in (b"Xing", b"Info") else frame.samples
        seconds += samples / sample_rate
        at = _after_id3(data, at + frame.length)
    if not sample_rate:
        raise UnreadableAudio(detail=f"not one MP3 frame in {len(data)} bytes, which begin with {data[:4]!r}")
    return Duration(seconds=max(0.0, seconds), sample_rate=sample_rate)


def _frame(data: bytes, at: int) -> _Frame | None:
    """The frame whose header stands here, if one does."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    bitrate, rate, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version not in _RATES or layer != _LAYER_III or not 0 < bitrate < 15 or rate == 3:
        return None
    newest, mono = version == 3, data[at + 3] >> 6 == 3
    sample_rate = _RATES[version][rate]
    kbps = (_KBPS_V1 if newest else _KBPS_V2)[bitrate]
    side_information = (17 if mono else 32) if newest else (9 if mono else 17)
    return _Frame(
        length=(144 if newest else 72) * kbps * 1000 // sample_rate + padding,
        samples=1152 if newest else 576,
        sample_rate=sample_rate,
        tag_at=4 + side_information,
    )


def _goes_on(data: bytes, at: int) -> bool:
    """Whether a frame that ends here is believable: another one follows, or a tag, or the end of the file."""
    return at == len(data) or _frame(data, at) is not None or data[at : at + 3] in (b"ID3", b"TAG")


def _after_id3(data: bytes, at: int) -> int:
    """Behind the ID3v2 tag that begins here, if one does: its pictures would look like frames."""
    if data[at : at + 3] != b"ID3" or at + 10 > len(data):
        return at
    size = 0
    for seven_bits in data[at + 6 : at + 10]:
        size = size << 7 | seven_bits & 0x7F
    return at + 10 + size


def _delays(tag: bytes) -> int:
    """Samples of silence that the encoder put before and after the sound; 0 when it does not say."""
    complete = len(tag) >= _LAME_DELAYS_AT + 3 and tag[7] & 0x0F == 0x0F
    if not complete or tag[120:124] not in (b"LAME", b"Lavf", b"Lavc"):
        return 0
    delays = int.from_bytes(tag[_LAME_DELAYS_AT : _LAME_DELAYS_AT + 3], "big")
    return (delays >> 12) + (delays & 0xFFF)
