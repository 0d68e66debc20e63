"""What is said of a recording: findings, each with a sentence for its owner, from the facts and a provider's rules.

A finding keeps its code and its figures, not its wording, so that a stored one is shown in whatever language its reader has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.inspection import Facts, Measurements
from voices.providers.base import SampleRules

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Severity = Literal["refuse", "warn"]

# Checked in 2026-11 on espeak-ng voices and on human telephone prompts (English, Russian): clean readings stand 30 dB and more
# above their floor; with white noise added, 15 dB is warned of and 5 dB refused. Overdriven fourfold, 3 to 5 % is cut off.
SILENT_BELOW, TOO_QUIET_BELOW, QUIET_BELOW = -65.0, -45.0, -38.0
NOISY_BELOW, SLIGHTLY_NOISY_BELOW = 10.0, 18.0
CLIPPED_ABOVE, SLIGHTLY_CLIPPED_ABOVE = 0.02, 0.001
VOICED_AT_LEAST = 0.2
SPREAD_AT_LEAST = 0.3
NARROW_BELOW = 5000.0
LONG_PAUSE_ABOVE = 2.0

REFUSED: Mapping[str, _StrPromise] = {
    "empty": _("The file is empty. Choose the recording again, or record it here."),
    "too_large": _("The file is larger than {megabytes} MB. Cut it to the part you want to use, or save it as MP3."),
    "unreadable": _(
        "This file cannot be read as a recording. Send WAV, MP3, M4A, WebM, OGG or FLAC; saving it once more as WAV often helps."
    ),
    "other_kind": _(
        "This is a {kind} file, whatever its name says, and not a recording. Send WAV, MP3, M4A, WebM, OGG or FLAC."
    ),
    "no_audio": _("This file has no sound track. Send a recording of the voice."),
    "too_many_channels": _("The recording has {channels} channels. Save it in mono or stereo and send it again."),
    "impossible_rate": _(
        "The file claims {sample_rate} samples a second, which is no usual recording. Save it as WAV with 24 000 Hz or more."
    ),
    "too_demanding": _(
        "Examining this file needed more memory than a recording may take. Save it as mono WAV and send it again."
    ),
    "too_slow": _("Examining this file took too long. Save it as WAV and send it again."),
    "broke_inspection": _("This file could not be examined: it may be damaged. Save it as WAV and send it again."),
    "too_short": _("The recording lasts {seconds} s, and at least {minimum} s are needed. Read a longer text."),
    "too_long": _("The recording lasts {seconds} s, and at most {maximum} s are taken. Cut it to its best part."),
    "longer_than_counted": _(
        "The recording lasts more than {seconds} s, and at most {maximum} s are taken. Cut it to its best part."
    ),
    "rate_too_low": _(
        "The recording has {sample_rate} Hz, and at least {minimum} Hz are needed. Record anew: raising the number of a finished "
        "recording brings nothing back."
    ),
    "silent": _(
        "The recording is silent (loudest point {peak} dBFS). Check that the right microphone is on, and record again."
    ),
    "too_quiet": _(
        "The voice is too quiet ({level} dBFS; {minimum} dBFS are needed). Come closer to the microphone or turn it up."
    ),
    "not_speech": _(
        "No speaking voice was found in the recording. Read a text aloud in your normal voice; whispering will not do."
    ),
    "too_little_speech": _(
        "Only {seconds} s of speech were found, and at least {minimum} s are needed. Read on without long pauses."
    ),
    "clipped": _(  # xgettext:no-python-format
        "The recording is overdriven: {percent} % of it is cut off at full level. Turn the microphone down or move away, "
        "and record again."
    ),
    "noisy": _(
        "The voice stands only {snr} dB above the background noise, and {minimum} dB are needed. Record in a quiet room, "
        "close to the microphone."
    ),
}
WARNED: Mapping[str, _StrPromise] = {
    "broken_off": _(
        "The file breaks off: it should last {declared} s, but only {seconds} s could be read. Only these are used."
    ),
    "damaged": _("The file is damaged after {seconds} s. Only what comes before is used."),
    "shorter_than_advised": _(
        "The recording lasts {seconds} s. With {low} to {high} s the voice usually turns out better."
    ),
    "longer_than_advised": _("The recording lasts {seconds} s. More than {high} s rarely make the voice better."),
    "quiet": _("The voice is rather quiet ({level} dBFS). It will be amplified, and the background noise with it."),
    "slightly_clipped": _(  # xgettext:no-python-format
        "The recording is overdriven in places ({percent} %). Turned down a little it would sound cleaner."
    ),
    "slightly_noisy": _(
        "There is some background noise: the voice stands {snr} dB above it. The clone may learn the noise, too."
    ),
    "narrow": _(
        "The recording holds nothing above {bandwidth} Hz, like a telephone call. The clone will sound muffled, too."
    ),
    "long_pause": _("There is a pause of {seconds} s in the recording. Some providers want pauses under {maximum} s."),
}

BREAKS_OFF = frozenset({"broken_off", "damaged"})
"""Warnings that explain a refusal: why a recording is so much shorter here than in its owner's player."""


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        return "refuse" if self.code in REFUSED else "warn"

    @property
    def sentence(self) -> _StrPromise:
        """Translated when it is shown."""
        wording = REFUSED[self.code] if self.code in REFUSED else WARNED[self.code]
        return format_lazy(wording, **self.figures)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "figures": {name: str(figure) for name, figure in self.figures.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Finding:
        return cls(stored["code"], stored["figures"])


def longest_accepted(rules: SampleRules) -> float:
    """Seconds: the provider's limit, or as much as its limit of bytes holds of the WAV that we hand over."""
    return min(rules.max_seconds, (rules.max_bytes - 44) / (2 * rules.prepared_sample_rate))


def judge(facts: Facts, rules: SampleRules, *, counted_seconds: float) -> tuple[Finding, ...]:
    """Refusals first. `counted_seconds` is where counting stopped: `facts.seconds` says "at least" from there on."""
    if facts.trouble:
        return (_trouble(facts),)
    findings = [*_length(facts, rules, counted_seconds), *_rate(facts, rules), *_whole(facts, counted_seconds)]
    if facts.measurements is not None:
        findings += _sound(facts.measurements, rules, seconds=facts.seconds)
    return tuple(sorted(findings, key=lambda finding: finding.severity != "refuse"))


def _trouble(facts: Facts) -> Finding:
    match facts.trouble:
        case "no_audio":
            return Finding("no_audio")
        case "too_many_channels":
            return Finding("too_many_channels", {"channels": facts.channels})
        case "sample_rate":
            return Finding("impossible_rate", {"sample_rate": facts.sample_rate})
        case "memory":
            return Finding("too_demanding")
        case _:
            return Finding("unreadable")


def _length(facts: Facts, rules: SampleRules, counted_seconds: float) -> Iterator[Finding]:
    low, high = rules.advised_seconds
    longest = longest_accepted(rules)
    shown = {"seconds": _one_decimal(facts.seconds)}
    if facts.seconds >= counted_seconds:
        yield Finding("longer_than_counted", {"seconds": f"{counted_seconds:g}", "maximum": f"{math.floor(longest)}"})
    elif facts.seconds > longest:
        yield Finding("too_long", {**shown, "maximum": f"{math.floor(longest)}"})
    elif facts.seconds < rules.min_seconds:
        yield Finding("too_short", {**shown, "minimum": f"{rules.min_seconds:g}"})
    elif facts.seconds < low:
        yield Finding("shorter_than_advised", {**shown, "low": f"{low:g}", "high": f"{high:g}"})
    elif facts.seconds > high + 1:
        yield Finding("longer_than_advised", {**shown, "high": f"{high:g}"})


def _rate(facts: Facts, rules: SampleRules) -> Iterator[Finding]:
    if facts.sample_rate < rules.min_sample_rate:
        yield Finding("rate_too_low", {"sample_rate": facts.sample_rate, "minimum": rules.min_sample_rate})


def _whole(facts: Facts, counted_seconds: float) -> Iterator[Finding]:
    # Raw AAC declares a guess (8.6 s for 10.1 s, measured 2026-11); a recording that is being streamed declares nothing.
    missing = facts.declared_seconds - facts.seconds
    if facts.damaged:
        yield Finding("damaged", {"seconds": _one_decimal(facts.seconds)})
    elif (
        facts.seconds < counted_seconds
        and facts.container != "aac"
        and missing > max(0.5, 0.05 * facts.declared_seconds)
    ):
        declared = f"{facts.declared_seconds:.1f}"
        yield Finding("broken_off", {"declared": declared, "seconds": _one_decimal(facts.seconds)})


def _sound(heard: Measurements, rules: SampleRules, *, seconds: float) -> Iterator[Finding]:
    """One finding for the worst thing first: a silent recording is not also noisy, nor a tone too short a speech."""
    if heard.peak < SILENT_BELOW:
        yield Finding("silent", {"peak": f"{heard.peak:.0f}"})
        return
    if not heard.speech_seconds or heard.voiced_share < VOICED_AT_LEAST or heard.f0_spread < SPREAD_AT_LEAST:
        yield Finding("not_speech")
        return
    # A recording that is too short is not also blamed for holding too little.
    if heard.speech_seconds < rules.min_speech_seconds and seconds >= rules.min_seconds:
        minimum = f"{rules.min_speech_seconds:g}"
        yield Finding("too_little_speech", {"seconds": _one_decimal(heard.speech_seconds), "minimum": minimum})
    yield from _level(heard)
    if heard.snr < NOISY_BELOW:
        yield Finding("noisy", {"snr": _one_decimal(heard.snr), "minimum": f"{NOISY_BELOW:g}"})
    elif heard.snr < SLIGHTLY_NOISY_BELOW:
        yield Finding("slightly_noisy", {"snr": f"{heard.snr:.0f}"})
    if heard.bandwidth < NARROW_BELOW:
        yield Finding("narrow", {"bandwidth": f"{heard.bandwidth:.0f}"})
    if heard.longest_pause > LONG_PAUSE_ABOVE:
        yield Finding("long_pause", {"seconds": f"{heard.longest_pause:.1f}", "maximum": f"{LONG_PAUSE_ABOVE:g}"})


def _level(heard: Measurements) -> Iterator[Finding]:
    if heard.speech_level < TOO_QUIET_BELOW:
        yield Finding("too_quiet", {"level": f"{heard.speech_level:.0f}", "minimum": f"{TOO_QUIET_BELOW:g}"})
    elif heard.speech_level < QUIET_BELOW:
        yield Finding("quiet", {"level": f"{heard.speech_level:.0f}"})
    percent = f"{100 * heard.clipped_share:.1f}"
    if heard.clipped_share > CLIPPED_ABOVE:
        yield Finding("clipped", {"percent": percent})
    elif heard.clipped_share > SLIGHTLY_CLIPPED_ABOVE:
        yield Finding("slightly_clipped", {"percent": percent})


def _one_decimal(figure: float) -> str:
    """Rounded down: "lasts 5.0 s, at least 5 s are needed" would be nonsense."""
    return f"{math.floor(figure * 10) / 10:.1f}"
