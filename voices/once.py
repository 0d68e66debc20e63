"""The header Idempotency-Key on requests of the API that change something: how it is read, and how an answer is given again."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from voices import idempotency
from voices.callers import token_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=(
        "Anything unique, such as a UUID. The same key with the same request is carried out once and answered the same for 24 "
        "hours; 409 while the first one is still under way, 422 for another request."
    ),
)


def once(
    request: Request,
    act: Callable[[uuid.UUID], HttpResponseBase],
    *,
    made: Callable[[uuid.UUID], HttpResponseBase | None] | None = None,
    in_one: bool = False,
    first: Callable[[], object] | None = None,
    beside: str = "",
) -> HttpResponseBase:
    """Answer with `act`, which makes its row under the id it is given; with the kept answer where the request's key has one.

    `made` answers for a row that a process which died has left, and for a sound, whose bytes are not kept twice. `in_one`: `act`
    writes rows and nothing else, in one transaction with the answer that is kept, so that such a process leaves neither. `first`
    is called before that transaction: for what asks a storage. `beside` is what the answer depends on beside the request. An answer
    that refuses is not kept: nothing was done.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return act(uuid.uuid4())
    turn = idempotency.begin(request.user, key, digest=_digest(request, beside=beside))
    if isinstance(turn, idempotency.Kept):
        return _again(turn, made)
    if turn.resumed and made is not None and (left := made(turn.subject)) is not None:
        return _kept(turn, left)
    try:
        if in_one:
            if first is not None:
                first()
            with transaction.atomic():
                return _kept(turn, act(turn.subject))
        answer = act(turn.subject)
    except Exception:
        idempotency.forget(turn)
        raise
    return _kept(turn, answer)


def only_asker(request: Request) -> str:
    """`beside` where the answer holds a secret: another token of the same person may be a weaker one, and is not shown it."""
    return f"asked by {token_of(request)}"


def _kept(turn: idempotency.Turn, answer: HttpResponseBase) -> HttpResponseBase:
    body = JSONRenderer().render(answer.data).decode() if isinstance(answer, Response) and answer.data else ""
    idempotency.keep(turn, status=answer.status_code, body=body, location=answer.headers.get("Location", ""))
    return answer


def _again(kept: idempotency.Kept, made: Callable[[uuid.UUID], HttpResponseBase | None] | None) -> HttpResponseBase:
    answer = None if kept.body or made is None else made(kept.subject)
    if answer is None:
        data = json.loads(kept.body) if kept.body else None
        answer = Response(data, status=kept.status, headers={"Cache-Control": "no-store"})
        if kept.location:
            answer["Location"] = kept.location
    answer[REPLAYED] = "true"
    return answer


def _digest(request: Request, *, beside: str) -> str:
    """Of what is asked, not of how it was written: a form has another boundary each time it is sent."""
    digest = hashlib.sha256(f"{request.method} {request.path}{beside and f' {beside}'}".encode())
    data = request.data
    for name in sorted(data) if hasattr(data, "keys") else ():
        for value in data.getlist(name) if hasattr(data, "getlist") else [data[name]]:
            digest.update(f"\n{name}=".encode())
            digest.update(_content(value))
    if not hasattr(data, "keys"):
        digest.update(json.dumps(data).encode())
    return digest.hexdigest()


def _content(value: Any) -> bytes:
    if not isinstance(value, UploadedFile):
        return json.dumps(value, sort_keys=True).encode()
    content = hashlib.sha256((value.name or "").encode())
    for chunk in value.chunks():
        content.update(chunk)
    value.seek(0)
    return content.digest()
