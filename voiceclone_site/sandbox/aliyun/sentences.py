"""Where sentences end in text that arrives in pieces, and how characters are counted."""

from __future__ import annotations

import html
import re

_ENDS = "。！？!?\n"
_CLOSERS = "”’」』）)]】》\"'"
_LONGEST = 120
"""A sentence without an end is cut here, at a comma or a space where there is one."""
_PAUSES = "，、；：,;: "
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_SPEAKABLE = re.compile(r"\w")
_TAG = re.compile(r"<(/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*(/?)>")


def count(text: str) -> int:
    """Billed characters: a Han character is 2, everything else 1."""
    return len(text) + len(_HAN.findall(text))


def is_speakable(text: str) -> bool:
    return _SPEAKABLE.search(text) is not None


def split(buffer: str) -> tuple[list[str], str]:
    """The complete sentences at the head of `buffer`, and the tail that waits for more. Nothing is lost between them."""
    sentences: list[str] = []
    start = 0
    at = 0
    while at < len(buffer):
        if _ends_at(buffer, at):
            end = _past_closers(buffer, at + 1)
            if is_speakable(buffer[start:end]):
                sentences.append(buffer[start:end])
                start = end
            at = end
            continue
        at += 1
        if at - start >= _LONGEST:
            cut = _pause_before(buffer, start, at)
            sentences.append(buffer[start:cut])
            start = at = cut
    return sentences, buffer[start:]


def _ends_at(text: str, at: int) -> bool:
    if text[at] in _ENDS:
        return True
    if text[at] != ".":
        return False
    before = text[at - 1] if at else ""
    after = text[at + 1 : at + 2]
    if not after:
        # "3." may go on as "3.14" in the next piece.
        return not before.isdigit()
    return not (after.isascii() and after.isalnum()) and after != "."


def _past_closers(text: str, at: int) -> int:
    while at < len(text) and (text[at] in _CLOSERS or text[at] in _ENDS or text[at] == "."):
        at += 1
    return at


def _pause_before(text: str, start: int, end: int) -> int:
    for at in range(end - 1, start + _LONGEST // 2, -1):
        if text[at] in _PAUSES:
            return at + 1
    return end


def plain_from_ssml(text: str) -> str:
    """The words inside `<speak>`, breaks left out. Raises ValueError when the markup is not well formed."""
    stripped = text.strip()
    open_tags: list[str] = []
    out: list[str] = []
    at = 0
    for tag in _TAG.finditer(stripped):
        out.append(_characters(stripped[at : tag.start()]))
        closing, name, _, empty = tag.groups()
        if not open_tags and (tag.start() or name != "speak" or closing):
            raise ValueError("the root must be <speak>")
        if closing:
            if open_tags.pop() != name:
                raise ValueError(f"</{name}> closes nothing")
        elif not empty:
            open_tags.append(name)
        at = tag.end()
    if open_tags or stripped[at:]:
        raise ValueError("text goes on after </speak>, or a tag is not closed")
    return "".join(out)


def _characters(text: str) -> str:
    if "<" in text or re.search(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9A-Fa-f]+);)", text):
        raise ValueError("& and < must be escaped")
    return html.unescape(text)
