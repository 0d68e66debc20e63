"""What one synthesis was asked to be, the same for both sockets."""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from dataclasses import dataclass
from typing import Any

from ..options import Options
from ..speech.speaking import Manner
from ..speech.voiceprint import VoicePrint
from . import refusals
from .schema import Integer, Object, String, defaulted

LONGEST_TEXT = 8000
"""Base64 characters in one message."""
MOST_BYTES = 65536
"""Of text in one session, decoded."""


@dataclass(frozen=True)
class Order:
    voice: VoicePrint
    voice_id: str
    """The res_id or vcn, for the ledger."""
    manner: Manner
    codec: str
    rate: int
    phonemes: int
    """rhy: 0 none, 1 phonemes, 3 with punctuation."""
    letters: bool
    """reg 1: foreign words letter by letter."""
    digits: int
    """rdn: 0 automatic, 1 as values, 2 and 3 digit by digit."""
    background: int
    filler: str = ""
    """What the colloquial model puts before the first sentence."""
    split: bool = True
    mark: int = 0
    """watermask: 1 a tone at the start, 2 at the end."""
    hidden_mark: bool = False


def text_schema(*, formats: tuple[str, ...], encodings: tuple[str, ...], compressions: tuple[str, ...]) -> Object:
    """payload.text; what the table requires is required."""
    return Object(
        required=True,
        fields={
            "encoding": String(one_of=encodings),
            "compress": String(one_of=compressions),
            "format": String(one_of=formats),
            "status": Integer(one_of=(0, 1, 2), required=True),
            "seq": Integer(0, 9_999_999, required=True),
            "text": String(longest=LONGEST_TEXT, required=True),
        },
    )


def text_bytes(message: dict[str, Any], *, options: Options) -> bytes:
    """The text of a message, decoded from Base64. Comes before every other check but that of the JSON."""
    payload = message.get("payload")
    text = payload.get("text") if isinstance(payload, dict) else None
    given = text.get("text") if isinstance(text, dict) else None
    if not isinstance(given, str):
        return b""
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        if options.iflytek.base64_code == 10161:
            raise refusals.gateway(10161, "parse base64 string error") from error
        raise refusals.gateway(
            10163,
            "resolve request error:base64 decode error,input stream,field : 'text' must be encode to base64 string."
            f" error:{error}",
        ) from error


def _unpacked(data: bytes, text: dict[str, Any]) -> bytes:
    if defaulted(text, "compress", "raw") != "gzip":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise refusals.engine(10009, "input invalid data") from error


def plain(data: bytes, text: dict[str, Any]) -> str:
    """The text itself. Raises SynthesisRefusal 10009 when it is not what its header says."""
    try:
        return _unpacked(data, text).decode(defaulted(text, "encoding", "utf8"))
    except UnicodeDecodeError as error:
        raise refusals.engine(10009, "input invalid data") from error
