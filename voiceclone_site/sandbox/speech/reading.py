"""How Chinese text is read aloud: years and telephone numbers digit by digit, amounts as numbers, signs as words.

espeak-ng loses the zero of 2026年, reads telephone numbers as one huge number, says "percent" for % and drops ￥.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_DIGITS = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_MYRIADS = ("", "万", "亿", "万亿")
_LONGEST_AMOUNT = 8
_AMOUNT = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"


@dataclass(frozen=True)
class Reading:
    text: str
    """What is said."""
    origins: tuple[tuple[int, int], ...]
    """For each character said, the span of the given text it stands for."""

    @staticmethod
    def verbatim(text: str) -> Reading:
        return Reading(text, tuple((i, i + 1) for i in range(len(text))))


def amount(number: str) -> str:
    """Digits, perhaps with a fraction and thousands commas, in Chinese numerals: "1,205.5" is 一千二百零五点五."""
    whole, _, fraction = number.replace(",", "").partition(".")
    if len(whole) > 4 * len(_MYRIADS):
        return digits(number)
    groups = [whole[max(0, end - 4) : end] for end in range(len(whole), 0, -4)]
    spoken = ""
    for power in range(len(groups) - 1, -1, -1):
        part = _below_ten_thousand(groups[power])
        if not part:
            continue
        if spoken and groups[power][0] == "0":
            spoken += "零"
        spoken += part + _MYRIADS[power]
    spoken = spoken or "零"
    if spoken.startswith("一十"):
        spoken = spoken[1:]
    return spoken + ("点" + digits(fraction) if fraction else "")


def _below_ten_thousand(group: str) -> str:
    spoken, gap = "", False
    for place, digit in enumerate(group):
        if digit == "0":
            gap = bool(spoken)
            continue
        spoken += ("零" if gap else "") + _DIGITS[int(digit)] + _UNITS[len(group) - 1 - place]
        gap = False
    return spoken


def digits(number: str) -> str:
    return "".join(_DIGITS[int(digit)] if digit.isdecimal() else "点" if digit == "." else "" for digit in number)


def _plain(number: str) -> str:
    bare = number.replace(",", "")
    if bare.startswith("0") and not bare.startswith("0.") and len(bare) > 1:
        return digits(bare)
    if "." not in bare and "," not in number and len(bare) > _LONGEST_AMOUNT:
        return digits(bare)
    return amount(number)


def _time(match: re.Match[str]) -> str:
    hour, minute, second = match.groups()
    spoken = (
        f"{amount(hour)}点{'整' if int(minute) == 0 else ('零' if minute[0] == '0' else '') + amount(str(int(minute)))}"
    )
    spoken += "" if int(minute) == 0 else "分"
    return spoken + (f"{amount(str(int(second)))}秒" if second else "")


_RULES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (
        r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)",
        lambda m: f"{digits(m[1])}年{amount(str(int(m[2])))}月{amount(str(int(m[3])))}日",
    ),
    (r"(\d{4}|\d{2})(?=年)", lambda m: digits(m[1])),
    (r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?!\d)", _time),
    (rf"({_AMOUNT})[%％]", lambda m: f"百分之{amount(m[1])}"),
    (rf"[￥¥]\s?({_AMOUNT})元?", lambda m: f"{amount(m[1])}元"),
    (rf"(?<![A-Za-z\d])({_AMOUNT})(?![A-Za-z\d])", lambda m: _plain(m[1])),
)
_ANY = re.compile("|".join(f"(?P<r{i}>{rule})" for i, (rule, _) in enumerate(_RULES)))
_COMPILED = tuple((re.compile(rule), say) for rule, say in _RULES)


def read(text: str) -> Reading:
    """The text as it is said in Chinese."""
    said: list[str] = []
    origins: list[tuple[int, int]] = []
    at = 0
    for found in _ANY.finditer(text):
        rule, say = _COMPILED[int(str(found.lastgroup)[1:])]
        match = rule.match(text, found.start())
        if match is None:
            continue
        said.append(text[at : match.start()] + (spoken := say(match)))
        origins.extend((i, i + 1) for i in range(at, match.start()))
        origins.extend([(match.start(), match.end())] * len(spoken))
        at = match.end()
    said.append(text[at:])
    origins.extend((i, i + 1) for i in range(at, len(text)))
    return Reading("".join(said), tuple(origins))
