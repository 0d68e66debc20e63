"""How the figures of a request are heard: factors on speed, pitch and loudness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..speech.speaking import Manner


@dataclass(frozen=True)
class Style:
    kind: str
    """dialect, scene, character or emotion."""
    pitch: float = 1.0
    rate: float = 1.0


def _styles(kind: str, **factors: tuple[float, float]) -> dict[str, Style]:
    return {name: Style(kind, pitch, rate) for name, (pitch, rate) in factors.items()}


STYLES: Mapping[str, Style] = {
    **_styles("dialect", tianjin=(1.04, 1.05), dongbei=(0.97, 1.02), sichuan=(1.06, 0.98), hefei=(0.95, 1.04)),
    **_styles(
        "scene",
        chat=(1.0, 1.0),
        news=(0.98, 1.15),
        explanation=(1.0, 0.95),
        picture_book=(1.1, 0.88),
        teach=(1.02, 0.9),
        langsong=(0.95, 0.8),
        novel=(0.97, 0.92),
    ),
    **_styles(
        "character",
        sunwukong=(1.25, 1.2),
        lindaiyu=(1.18, 0.85),
        labixiaoxin=(1.35, 1.05),
        xionger=(0.82, 0.85),
        peiqi=(1.3, 1.0),
        zhugeliang=(0.9, 0.86),
    ),
    **_styles(
        "emotion",
        neutral=(1.0, 1.0),
        happy=(1.15, 1.12),
        excited=(1.22, 1.2),
        glad=(1.1, 1.08),
        comfort=(0.95, 0.88),
        encouraging=(1.08, 1.05),
        apologetic=(0.94, 0.9),
        sad=(0.88, 0.8),
        downhearted=(0.9, 0.82),
        curious=(1.12, 1.02),
        confused=(1.06, 0.92),
        regretful=(0.92, 0.86),
        surprised=(1.25, 1.15),
        cute=(1.2, 1.04),
        naughty=(1.17, 1.14),
        afraid=(1.14, 1.18),
        scornful=(0.93, 0.97),
        angry=(1.16, 1.22),
        fearful=(1.18, 1.2),
        disgusted=(0.91, 0.95),
        lyrical=(1.03, 0.84),
        wronged=(1.05, 0.87),
        gentle=(0.98, 0.9),
        weak=(0.93, 0.78),
        serious=(0.94, 0.96),
    ),
    "lovey-dovey": Style("emotion", 1.12, 0.92),
}
_AUTOMATIC = -1
# What -1 stands for: closest to the original for chat, free for scenes and characters, between for emotions.
_IMPACT_OF_KIND = {"emotion": 3}
_CLOSEST = 10


def impact(style: str, factor: int) -> int:
    """impactFactor, with its automatic choice made: 0 natural, 10 closest to the original."""
    if factor != _AUTOMATIC:
        return factor
    if style in ("", "chat"):
        return _CLOSEST
    return _IMPACT_OF_KIND.get(STYLES[style].kind, 0)


def manner(*, speed: int, pitch: int, volume: int, language: str, style: str = "", impact_factor: int = -1) -> Manner:
    """speed 0 is half and 100 double, volume 0 silent and 100 double, pitch half an octave either way; 50 is as it is."""
    strength = 1 - impact(style, impact_factor) / _CLOSEST
    chosen = STYLES.get(style, Style("scene"))
    return Manner(
        rate=2 ** ((speed - 50) / 50) * chosen.rate**strength,
        pitch=2 ** ((pitch - 50) / 100) * chosen.pitch**strength,
        gain=2 ** ((volume - 50) / 50) if volume else 0.0,
        language=language,
    )
