"""The commands of the API's guide, and a server on loopback that hears what they ask."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from functools import cache
from html import unescape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client

from voiceclone_site.guide import GROUPS

GUIDE = "/help/api/"
TOKEN = "vcp_of_a_reader"
FILE, RECORDING = "annie.wav", b"RIFF as if"


@dataclass(frozen=True)
class Heard:
    """One request. `said`: its JSON, or the fields of its form, a file as `@` and its name."""

    method: str
    target: str
    authorization: str
    said: Any = None


@cache
def pages() -> list[str]:
    """Every page of the guide, in English. It is made of the schema, which takes its time."""
    found = [Client(headers={"accept-language": "en"}).get(f"{GUIDE}{slug}/") for slug in GROUPS]
    return [page.content.decode() for page in found if page.status_code == HTTPStatus.OK]


def snippets_in(language: str, *, of: str = "") -> list[str]:
    """`of`: a portal's address, in the place of this one's."""
    wanted = rf"<summary>{re.escape(language)}</summary>\s*<div[^>]*>\s*<pre[^>]*><code>(.*?)</code>"
    found = [unescape(each) for page in pages() for each in re.findall(wanted, page, re.DOTALL)]
    return [each.replace(settings.PUBLIC_BASE_URL, of) if of else each for each in found]


def asked_by_curl(snippet: str) -> Heard:
    """What curl would ask, by its manual."""
    words = shlex.split(snippet.replace("\\\n", " ").replace("$TOKEN", TOKEN))
    assert words.pop(0) == "curl"
    url, said, method = urlsplit(words.pop()), None, "GET"
    headers: dict[str, str] = {}
    while words:
        option = words.pop(0)
        if option == "-sS":
            continue
        value = words.pop(0)
        if option == "-X":
            method = value
        elif option == "-H":
            name, _, headers[name] = value.partition(": ")
        elif option == "-F":
            name, _, field = value.partition("=")
            said = {**(said or {}), name: field}
        elif option == "-d":
            said = json.loads(value)
        else:
            assert option == "-o", snippet
        if option in ("-F", "-d") and method == "GET":
            method = "POST"
    target = f"{url.path}?{url.query}" if url.query else url.path
    return Heard(method, target, headers["Authorization"], said)


@contextmanager
def listening() -> Iterator[tuple[str, list[Heard]]]:
    """Its address, and what it has heard. Everything is answered with an empty object."""
    heard: list[Heard] = []

    class Handler(BaseHTTPRequestHandler):
        def _hear(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type", "")
            heard.append(Heard(self.command, self.path, self.headers["Authorization"], _said(kind, body)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_PATCH = do_DELETE = _hear  # noqa: N815 — as the standard library wants them

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: pytest's output is not a web log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _said(kind: str, body: bytes) -> Any:
    if kind.startswith("application/json"):
        return json.loads(body)
    if not body:
        return None
    if kind.startswith("application/x-www-form-urlencoded"):
        return body.decode()
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    return dict(map(_field, form.get_payload()))


def _field(part: Any) -> tuple[str, str]:
    named: Mapping[str, str] = dict(part.get_params(header="content-disposition"))
    content = part.get_payload(decode=True)
    if "filename" in named:
        assert content == RECORDING
        return named["name"], f"@{named['filename']}"
    return named["name"], content.decode()
