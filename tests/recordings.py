"""Recordings of people reading aloud, made on the spot with espeak-ng voices, so that no audio file is shipped."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import av
import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from voiceclone_site.sandbox.speech import espeak

MAN = "en-us+m3"
"""Median F0 about 105 Hz."""
WOMAN = "en-us+Annie"
"""Median F0 about 237 Hz."""
CHINESE_WOMAN = "cmn+f5"
"""Mandarin, median F0 about 181 Hz."""

_ENGLISH = (
    "Every morning the baker opens his shop before the sun is up. He warms the oven, weighs the flour, and listens to "
    "the radio while the dough is rising. By seven the first customers are waiting at the door, and the whole street "
    "smells of bread. "
)
_CHINESE = (
    "每天早上天还没亮，面包师就打开了店门。他先把烤箱烧热，再称好面粉，一边听广播一边等面团发起来。"
    "七点钟门口已经有人在等了，整条街都是面包的香味。"
)
# Container, encoder, and the sample format the encoder takes.
_CONTAINERS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "webm": ("webm", "libopus"),
    "ogg": ("ogg", "libopus"),
    "m4a": ("ipod", "aac"),
    "flac": ("flac", "flac"),
}


@functools.lru_cache(maxsize=64)
def recording(voice: str = MAN, seconds: float = 12, format: str = "wav", rate: int = 24000) -> bytes:
    """A recording of exactly `seconds` (encoders add some ms), in the language of `voice`, mono.

    `voice` is an espeak-ng language and variant; `format` one of wav, mp3, webm, ogg, m4a, flac. webm and ogg hold
    Opus, which is always 48 kHz inside.
    """
    return encoded(reading(voice, seconds), source_rate=espeak.RATE, format=format, rate=rate)


@functools.lru_cache(maxsize=16)
def reading(voice: str, seconds: float) -> NDArray[np.float32]:
    """The samples of a recording at 22 050 Hz, -1..1."""
    text = _CHINESE if voice.startswith("cmn") else _ENGLISH
    language, _, variant = voice.partition("+")
    once = espeak.speak(text, voice=language, variant=_unwavering(variant)).samples
    wanted = int(seconds * espeak.RATE)
    return 0.5 * np.tile(once, wanted // len(once) + 1)[:wanted]


def _unwavering(variant: str) -> str:
    """The variant without its flutter, which goes on from whatever was spoken before: a recording sounds the same in every run."""
    described = (Path(espeakng_loader.get_data_path()) / "voices" / "!v" / variant).read_text()
    return f"{described}\nflutter 0\n"


def silence(seconds: float = 12, format: str = "wav", rate: int = 24000) -> bytes:
    return encoded(np.zeros(int(seconds * rate), dtype=np.float32), source_rate=rate, format=format, rate=rate)


def tone(seconds: float = 12, hertz: float = 220.0, format: str = "wav", rate: int = 24000) -> bytes:
    """A sine at -6 dBFS: loud, and yet nobody speaks."""
    times = np.arange(int(seconds * rate)) / rate
    return encoded(
        (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32), source_rate=rate, format=format, rate=rate
    )


def encoded(samples: NDArray[np.float32], *, source_rate: int, format: str, rate: int) -> bytes:
    """Mono samples (-1..1) as a file."""
    container_name, codec = _CONTAINERS[format]
    target_rate = 48000 if codec == "libopus" else rate
    pcm = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = source_rate
    target = io.BytesIO()
    with av.open(target, "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=target_rate)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        stream.codec_context.open()
        resampler = av.AudioResampler(
            format=stream.codec_context.format,
            layout="mono",
            rate=target_rate,
            frame_size=stream.codec_context.frame_size or 0,
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return target.getvalue()
