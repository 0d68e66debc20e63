"""What is asked of a provider for a wish, and what is made of its answer on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from synthesis.delivery import Delivery, plan
from tests.listening import listen
from voices.errors import InvalidInput
from voices.providers import registry

ALIYUN, IFLYTEK, QINIU = (registry.traits(slug) for slug in ("aliyun", "iflytek", "qiniu"))


def test_it_leaves_untouched_what_the_provider_speaks_itself() -> None:
    delivery = plan(ALIYUN, "cosyvoice-v3-flash", audio_format="mp3", sample_rate=44_100)
    assert delivery.is_untouched
    assert (delivery.source_format, delivery.source_rate) == ("mp3", 44_100)


@pytest.mark.parametrize(
    ("audio_format", "rate"), [("opus", 48_000), ("flac", 24_000), ("aac", 24_000), ("mulaw", 8_000)]
)
def test_it_makes_what_the_provider_does_not_speak_from_pcm(audio_format: str, rate: int) -> None:
    delivery = plan(IFLYTEK, IFLYTEK.default_model, audio_format=audio_format)
    assert (delivery.source_format, delivery.audio_format, delivery.sample_rate) == ("pcm", audio_format, rate)


def test_it_asks_the_provider_for_its_tempo_and_stretches_the_rest() -> None:
    within = plan(ALIYUN, "cosyvoice-v3-flash", speed=1.5)
    beyond = plan(IFLYTEK, IFLYTEK.default_model, speed=4.0)
    assert (within.parameters, within.tempo, within.is_untouched) == ({"rate": 1.5}, 1.0, True)
    assert (beyond.parameters, beyond.tempo, beyond.source_format) == ({"speed": 100}, 2.0, "pcm")


def test_it_hands_hints_on_by_the_providers_own_names_and_passes_over_others() -> None:
    hints = {"instruction": "softly", "language": "zh", "bgs": "1"}
    aliyun = plan(ALIYUN, "cosyvoice-v3-flash", hints=hints, word_times=True)
    assert aliyun.parameters == {"instruction": "softly", "language_hints": "zh", "word_timestamp_enabled": True}
    assert aliyun.ignored == ("bgs",)
    assert plan(IFLYTEK, "omni_v1", hints=hints).parameters == {"language": "zh", "bgs": "1"}


def test_it_refuses_what_cannot_leave() -> None:
    with pytest.raises(InvalidInput) as rate:
        plan(IFLYTEK, "omni_v1", audio_format="flac", sample_rate=12_345)
    assert list(rate.value.fields) == ["sample_rate"]
    with pytest.raises(InvalidInput) as speed:
        plan(QINIU, QINIU.default_model, speed=2.0)
    assert list(speed.value.fields) == ["speed"]


@pytest.mark.parametrize("audio_format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
@pytest.mark.parametrize("tempo", [0.25, 1.0, 3.0])
def test_it_encodes_while_it_is_fed(audio_format: str, tempo: float) -> None:
    times = np.arange(2 * 24_000) / 24_000
    pcm = (np.sin(2 * np.pi * 220 * times) * 8000).astype("<i2").tobytes()
    rate = 48_000 if audio_format == "opus" else 24_000
    encoder = Delivery(audio_format, rate, "pcm", 24_000, tempo=tempo).encoder()
    # Odd pieces, as they come off a network.
    pieces = [encoder.feed(bytes(piece)) for piece in _cut(pcm, 3_201)]
    heard: Any = listen(
        b"".join([*pieces, encoder.finish()]), format=audio_format if audio_format == "pcm" else "", rate=rate
    )
    assert sum(1 for piece in pieces if piece) > 5
    assert heard.duration == pytest.approx(2 / tempo, abs=0.15)
    assert heard.f0 == pytest.approx(220, rel=0.02)


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
