"""How the bytes of an upload come in, before anybody looks at them."""

from __future__ import annotations

import gc
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, UnreadablePostError
from django.test import RequestFactory
from django.utils import translation
from pytest_django import Settings
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from tests.recordings import recording
from voices import samples
from voices.providers.base import SampleRules
from voices.uploads import BoundedUpload, was_too_large

MEGABYTE = 1024 * 1024
RULES = SampleRules(
    min_seconds=10,
    max_seconds=60,
    advised_seconds=(10, 20),
    min_speech_seconds=5,
    min_sample_rate=16_000,
    max_bytes=10 * MEGABYTE,
    prepared_sample_rate=24_000,
)
BOUNDARY = "the-boundary"
FIELD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\nMy voice\r\n'.encode()
FILE = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="sample"; filename="me.wav"\r\n'
    "Content-Type: audio/wav\r\n\r\n"
).encode()
END = f"\r\n--{BOUNDARY}--\r\n".encode()


class VoiceForm(forms.Form):
    name = forms.CharField()
    sample = forms.FileField()


class Wire(io.RawIOBase):
    """A request body that is made while it is read, as it would come from a socket; it can break off in the middle."""

    def __init__(self, *, head: bytes, filling: int, tail: bytes, breaks_after: int | None = None) -> None:
        self._pieces = self._cut(head, filling, tail)
        self._waiting = b""
        self._breaks_after = breaks_after
        self.length = len(head) + filling + len(tail)
        self.read_so_far = 0

    @staticmethod
    def _cut(head: bytes, filling: int, tail: bytes) -> Iterator[bytes]:
        yield head
        for start in range(0, filling, MEGABYTE):
            yield b"\x01" * min(MEGABYTE, filling - start)
        yield tail

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._breaks_after is not None and self.read_so_far >= self._breaks_after:
            raise ConnectionResetError("the browser has gone")
        while len(self._waiting) < len(buffer) and (piece := next(self._pieces, b"")):
            self._waiting += piece
        count = min(len(buffer), len(self._waiting))
        buffer[:count], self._waiting = self._waiting[:count], self._waiting[count:]
        self.read_so_far += count
        return count


@pytest.fixture(autouse=True)
def _uploads(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    yield
    assert list(settings.FILE_UPLOAD_TEMP_DIR.iterdir()) == []
    assert nameless_files(settings.FILE_UPLOAD_TEMP_DIR) == []


def nameless_files(folder: Path) -> list[str]:
    """Temporary files without a name that this process still holds open."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if link.startswith(str(folder))]


def posted(wire: Wire, *, length: int | None = None) -> WSGIRequest:
    return WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}",
            "CONTENT_LENGTH": str(wire.length if length is None else length),
            "wsgi.input": wire,
        }
    )


def only_file(request: HttpRequest) -> BoundedUpload:
    (upload,) = request.FILES.values()
    assert isinstance(upload, BoundedUpload)
    return upload


def sentences(request: HttpRequest) -> list[str]:
    """What the person reads after sending this form."""
    form = VoiceForm(request.POST, request.FILES)
    if not form.is_valid():
        return [str(error) for error in form.errors["sample"]]
    upload = form.cleaned_data["sample"]
    inspection = samples.inspect(upload, rules=RULES, filename=upload.name)
    with translation.override("en"):
        return [str(finding.sentence) for finding in inspection.findings]


def test_it_takes_a_recording_in() -> None:
    audio = recording()
    request = RequestFactory().post("/", {"name": "Mine", "sample": SimpleUploadedFile("me.wav", audio)})
    upload = only_file(request)
    assert upload.name == "me.wav"
    assert upload.size == len(audio)
    assert upload.read() == audio
    assert not was_too_large(request)
    assert sentences(request) == []
    request.close()


def test_it_says_that_100_megabytes_are_too_large_and_keeps_none_of_them(settings: Settings) -> None:
    wire = Wire(head=FIELD + FILE, filling=100 * MEGABYTE, tail=END)
    request = posted(wire)
    tracemalloc.start()
    assert was_too_large(request)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MEGABYTE
    assert wire.read_so_far == wire.length
    assert request.POST["name"] == "My voice"
    upload = only_file(request)
    assert upload.size == 100 * MEGABYTE
    assert upload.read() == b""
    assert sentences(request) == [
        "The file is larger than 25 MB. Cut it to the part you want to use, or save it as MP3."
    ]
    request.close()


def test_it_keeps_nothing_of_a_file_that_turns_out_too_large(settings: Settings) -> None:
    settings.MAX_SAMPLE_BYTES = MEGABYTE
    wire = Wire(head=FIELD + FILE, filling=MEGABYTE + 10, tail=END)
    request = posted(wire)
    upload = only_file(request)
    assert was_too_large(request)
    assert upload.size == MEGABYTE + 10
    assert upload.read() == b""
    assert wire.read_so_far == wire.length
    request.close()


def test_it_takes_a_file_of_exactly_the_limit(settings: Settings) -> None:
    settings.MAX_SAMPLE_BYTES = MEGABYTE
    request = posted(Wire(head=FIELD + FILE, filling=MEGABYTE, tail=END))
    upload = only_file(request)
    assert not was_too_large(request)
    assert len(upload.read()) == MEGABYTE
    request.close()


def test_it_does_not_read_an_endless_request_to_its_end(settings: Settings) -> None:
    settings.MAX_SAMPLE_BYTES = MEGABYTE
    wire = Wire(head=FIELD + FILE, filling=11 * MEGABYTE, tail=END)
    request = posted(wire)
    assert was_too_large(request)
    assert wire.read_so_far < 2 * MEGABYTE
    assert request.POST["name"] == "My voice"
    assert not request.FILES
    request.close()


def test_it_works_for_the_api_as_well(settings: Settings) -> None:
    settings.MAX_SAMPLE_BYTES = MEGABYTE
    request = Request(posted(Wire(head=FIELD + FILE, filling=2 * MEGABYTE, tail=END)), parsers=[MultiPartParser()])
    assert was_too_large(cast(HttpRequest, request))
    data = request.data
    assert isinstance(data, dict)
    assert data["sample"].size == 2 * MEGABYTE
    assert data["name"] == "My voice"
    request._request.close()


def test_it_tells_an_empty_file_from_a_missing_one() -> None:
    with translation.override("en"):
        empty = posted(Wire(head=FIELD + FILE, filling=0, tail=END))
        assert sentences(empty) == ["The submitted file is empty."]
        unnamed = posted(Wire(head=FIELD + FILE.replace(b'filename="me.wav"', b'filename=""'), filling=20, tail=END))
        assert sentences(unnamed) == ["This field is required."]
        no_file_name = posted(Wire(head=FIELD + FILE.replace(b'; filename="me.wav"', b""), filling=20, tail=END))
        assert sentences(no_file_name) == ["This field is required."]
    for request in (empty, unnamed, no_file_name):
        assert not was_too_large(request)
        request.close()


def test_it_leaves_nothing_when_the_browser_goes_away() -> None:
    wire = Wire(head=FIELD + FILE, filling=20 * MEGABYTE, tail=END, breaks_after=5 * MEGABYTE)
    request = posted(wire)
    with pytest.raises(UnreadablePostError):
        _ = request.FILES
    request.close()
    del request
    gc.collect()  # pytest keeps the traceback, and that keeps the request; a server would not


def test_it_drops_a_file_whose_end_never_came() -> None:
    wire = Wire(head=FIELD + FILE, filling=MEGABYTE, tail=b"")
    request = posted(wire, length=wire.length + 500)
    assert not request.FILES
    request.close()
