"""The multipart body of submitWithAudio, from the raw bytes: a strict signature covers them as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message

_NAME = re.compile(r'(?<![\w*])name="([^"]*)"')
_FILE_NAME = re.compile(r'filename="([^"]*)"')


@dataclass(frozen=True)
class Form:
    fields: dict[str, str]
    file: bytes | None
    file_name: str
    file_type: str


class NoFormError(ValueError):
    """The body is not multipart/form-data as RFC 7578 has it."""


def parse(raw: bytes, *, content_type: str) -> Form:
    """Raises NoFormError."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise NoFormError("no multipart/form-data with a boundary")
    delimiter = b"--" + boundary.encode()
    pieces = (b"\r\n" + raw).split(b"\r\n" + delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise NoFormError("the closing boundary is missing")
    fields: dict[str, str] = {}
    file, file_name, file_type = None, "", ""
    for piece in pieces[1:-1]:
        head, separator, content = piece.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace")
        name = _NAME.search(lines)
        if not separator or name is None:
            raise NoFormError("a part without a name")
        if named := _FILE_NAME.search(lines):
            file, file_name = content, named[1]
            kind = re.search(r"(?im)^content-type:\s*(\S+)", lines)
            file_type = kind[1] if kind else ""
            if name[1] != "file":
                fields[name[1]] = ""
                file = None
        else:
            fields[name[1]] = content.decode("utf-8", "replace")
    return Form(fields=fields, file=file, file_name=file_name, file_type=file_type)
