"""The program that looks at an upload: `python -m voices.inspection ORDER`, a process of its own per recording.

What strangers upload is decoded here and nowhere else, so that a hostile file can cost at most this process. The upload is
standard input (a regular file). Standard output is one JSON line, the `Facts`, and after it the prepared WAV if one was asked
for and could be made. The exit code is 0 whatever the recording is like; anything else is a limit that was hit (a signal) or
a fault of the program.

The limits are set before PyAV is imported. This module is also imported by `samples.py` for its two dataclasses, so it must
never import PyAV or numpy itself.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from dataclasses import asdict, dataclass, field
from importlib import import_module


@dataclass(frozen=True, slots=True)
class Limits:
    """What one inspection may use. `address_space` and `output` in bytes, of which the idle process takes about 200 MB
    and 0; `cpu` and `wall` in whole seconds."""

    address_space: int = 768 * 1024 * 1024
    output: int = 32 * 1024 * 1024
    cpu: int = 10
    wall: int = 15


@dataclass(frozen=True, slots=True)
class Order:
    """`measured_seconds`: a longer recording is not measured, only its length is counted, and that up to
    `counted_seconds`. `shortest_seconds`: the prepared file is not cut below this. `prepared_sample_rate` in Hz."""

    measured_seconds: float
    shortest_seconds: float
    prepared_sample_rate: int
    counted_seconds: float = 300.0
    limits: Limits = field(default_factory=Limits)

    def as_argument(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_argument(cls, argument: str) -> Order:
        given = json.loads(argument)
        return cls(**{**given, "limits": Limits(**given["limits"])})


@dataclass(frozen=True, slots=True)
class Measurements:
    """How the recording sounds. Levels in dBFS, never below -120; shares 0..1.

    `active` frames are the 30 ms frames that stand out: above the noise floor by 6 dB and at most 35 dB below the loud ones.
    """

    peak: float
    speech_level: float
    """Mean power of the active frames; of everything when none is active."""
    noise_floor: float
    """3rd percentile of the frames between the first and the last active one."""
    clipped_share: float
    """Samples beyond 0.985 of full scale, in the file's own channels."""
    speech_seconds: float
    """From active frames, pauses of up to 0.3 s between them included."""
    longest_pause: float
    """Seconds without an active frame, between active ones."""
    voiced_share: float
    """Of the active time, where a fundamental of 60 to 450 Hz stands out."""
    f0: float
    """Median in Hz, 0 when nothing is voiced."""
    f0_spread: float
    """10th to 90th percentile in semitones."""
    bandwidth: float
    """Hz up to which the long-term spectrum stays within 60 dB of its peak."""
    prepared_seconds: float
    """Length once the silence at both ends is cut to 0.2 s, or to what `Order.shortest_seconds` needs."""
    gain: float
    """dB by which the prepared file is louder than the recording."""

    @property
    def snr(self) -> float:
        return self.speech_level - self.noise_floor


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. `trouble` is empty, or one word for why there is nothing more to say:
    unreadable, no_audio, too_many_channels, sample_rate, memory."""

    trouble: str = ""
    container: str = ""
    codec: str = ""
    seconds: float = 0.0
    """Decoded, not declared; stops at `Order.counted_seconds`."""
    declared_seconds: float = 0.0
    """What the file says of itself, 0 when it does not say."""
    sample_rate: int = 0
    channels: int = 0
    damaged: bool = False
    """Decoding ended with an error after `seconds`."""
    measurements: Measurements | None = None

    def as_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Facts:
        given = json.loads(line)
        measured = given.pop("measurements")
        return cls(**given, measurements=Measurements(**measured) if measured else None)


def main() -> None:
    order = Order.from_argument(sys.argv[1])
    confine(order.limits)
    # By name and only now: importing PyAV is already to happen within the limits.
    facts, prepared = import_module("voices.recording").examine(sys.stdin.fileno(), order)
    sys.stdout.buffer.write(facts.as_line() + prepared)


def confine(limits: Limits) -> None:
    if sys.platform == "linux":  # macOS refuses a limit on address space
        resource.setrlimit(resource.RLIMIT_AS, (limits.address_space, limits.address_space))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output, limits.output))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Python ignores SIGXFSZ and would go on; and should the parent die, nobody else watches the clock.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.alarm(limits.wall)


if __name__ == "__main__":
    main()
