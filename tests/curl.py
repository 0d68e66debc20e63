"""As much of curl as docs/api.md uses, so that its lines run as they stand on a machine without curl."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import requests


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-F", dest="fields", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-o", dest="output", type=Path)
    for flag in "sSN":
        parser.add_argument(f"-{flag}", action="store_true")
    given = parser.parse_args()
    answer = requests.request(
        given.method or ("POST" if given.data or given.fields else "GET"),
        given.url,
        headers=dict(header.split(": ", 1) for header in given.headers),
        data=given.data.encode() if given.data else None,
        files=[part(field) for field in given.fields] or None,
        timeout=30,
    )
    if given.output:
        given.output.write_bytes(answer.content)
    else:
        sys.stdout.buffer.write(answer.content)


def part(field: str) -> tuple[str, tuple[str | None, bytes]]:
    name, _, value = field.partition("=")
    if value.startswith("@"):
        path = Path(value[1:])
        return name, (path.name, path.read_bytes())
    return name, (None, value.encode())


main()
