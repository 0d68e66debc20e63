"""Hand out one stored file over HTTP, whole or in part: players seek by Range, and providers want a Content-Length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, Protocol, runtime_checkable

from django.core.files.storage import Storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

_RANGE = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))\Z")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `first` to `last`, both included, of `size`."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


class Stored(Protocol):
    """A file in a storage, such as a FieldFile."""

    @property
    def storage(self) -> Storage: ...

    @property
    def name(self) -> str | None: ...


@runtime_checkable
class Narrow(Protocol):
    """An open file that is somewhere else, and fetches no more than it is told will be read."""

    def narrow(self, *, first: int, last: int) -> None: ...


class NotSatisfiable(Exception):
    """The range lies beyond the end of the file."""


def serve(
    request: HttpRequest,
    stored: Stored,
    content_type: str,
    *,
    filename: str = "",
    attachment: bool = False,
) -> HttpResponseBase:
    """The file for GET and HEAD, a single range of it if one was asked for; raises Http404 when there is no such file, and
    StorageUnavailable.

    Never cached, for all we store is somebody's voice. The caller has checked who may have it. `filename` is what a browser
    would save it as.
    """
    opened, size = _open(stored.storage, stored.name or "")
    try:
        span = requested_span(request.headers.get("Range", ""), size=size, conditional="If-Range" in request.headers)
    except NotSatisfiable:
        opened.close()
        return _with_usual_headers(HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"}))
    whole = span is None
    span = span or Span(first=0, last=size - 1, size=size)
    response = FileResponse(
        _Part(opened, span),
        content_type=content_type,
        filename=filename,
        as_attachment=attachment,
        status=200 if whole else 206,
    )
    if not whole:
        response["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    response["Content-Length"] = str(span.length)
    return _with_usual_headers(response)


def requested_span(header: str, *, size: int, conditional: bool = False) -> Span | None:
    """What a Range header asks for (RFC 9110, 14.2); None for the whole file, also when the header is one that may be ignored:
    several ranges, a unit or a form that is not ours, or an If-Range (we hand out no validator that could match)."""
    asked = _RANGE.match(header.strip())
    if asked is None or conditional:
        return None
    if asked["suffix"] is not None:
        first, last = max(0, size - int(asked["suffix"])), size - 1
        satisfiable = int(asked["suffix"]) > 0 and size > 0
    else:
        first = int(asked["first"])
        last = min(int(asked["last"]), size - 1) if asked["last"] else size - 1
        if asked["last"] and int(asked["last"]) < first:
            return None
        satisfiable = first < size
    if not satisfiable:
        raise NotSatisfiable
    return Span(first=first, last=last, size=size)


def _open(storage: Storage, name: str) -> tuple[IO[bytes], int]:
    if not name:
        raise Http404("No file is stored here.")
    try:
        opened = storage.open(name)
        return opened, opened.size
    except FileNotFoundError:
        raise Http404("The file is no longer stored.") from None


def _with_usual_headers(response: HttpResponseBase) -> HttpResponseBase:
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


class _Part:
    """A stretch of an open file, read to its end and no further: of one in a bucket nothing else is fetched. Without a name or a
    descriptor on purpose: Django and WSGI servers would take those as leave to send the whole file."""

    def __init__(self, opened: IO[bytes], span: Span) -> None:
        self._opened = opened
        self._left = span.length
        if isinstance(opened, Narrow):
            opened.narrow(first=span.first, last=span.last)
        else:
            opened.seek(span.first)

    def read(self, size: int = -1) -> bytes:
        data = self._opened.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._opened.close()
