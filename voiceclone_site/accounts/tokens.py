"""What an API token looks like: `vcp_<8 prefix>_<43 secret><6 checksum>`, all of it [0-9A-Za-z].

The prefix names the row and may be shown. The secret carries 256 bits. The checksum (CRC-32 of what stands before it, in base 62)
lets anybody, with nothing but the text, tell a token from a typo: we, before asking the database; a scanner for leaked secrets.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SHAPE = re.compile(r"vcp_(?P<prefix>[0-9A-Za-z]{8})_(?P<secret>[0-9A-Za-z]{43})(?P<checksum>[0-9A-Za-z]{6})", re.ASCII)


class Malformed(ValueError):
    """The text is no token of ours: another shape, or a checksum that does not fit."""


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the secret itself: shown to its owner once, kept nowhere."""

    text: str = field(repr=False)
    prefix: str

    @property
    def digest(self) -> str:
        """SHA-256 in hex: what is stored. Fast on purpose, since 256 random bits cannot be guessed through it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fits(self, digest: str) -> bool:
        """In constant time."""
        return hmac.compare_digest(self.digest, digest)


def make() -> Token:
    prefix = _random(8)
    body = f"vcp_{prefix}_{_random(43)}"
    return Token(text=f"{body}{checksum(body)}", prefix=prefix)


def parse(text: str) -> Token:
    """Raises Malformed, without having asked anything but the text."""
    match = SHAPE.fullmatch(text)
    if not match or checksum(text[:-6]) != match["checksum"]:
        raise Malformed
    return Token(text=text, prefix=match["prefix"])


def checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _place in range(6):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _place in range(length))
