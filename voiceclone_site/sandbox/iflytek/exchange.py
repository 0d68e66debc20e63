"""One HTTP exchange of the token or training service: into the ledger, past the faults, out as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .. import wire
from ..faults import Fault
from ..ledger import REDACTED
from ..state import STATE

PROVIDER = "iflytek"
_SECRETS = ("x-token", "x-sign")
_HTML = "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"

Answer = Callable[[Fault | None], Awaitable[dict[str, Any]]]
"""Does what was asked. An "error" before the effect is its own to answer, after the checks that come first."""


async def run(
    request: web.Request,
    *,
    operation: str,
    account: str,
    shown: object,
    answer: Answer,
    error: Callable[[str, str], dict[str, Any]],
    hide: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer,
) -> web.StreamResponse:
    """`error` makes the service's own refusal of a code and a message, `hide` takes secrets out for the ledger."""
    state = request.app[STATE]
    fault = state.faults.strike(operation=operation, account=account)
    how = fault.how if fault else ""
    headers = {name: REDACTED if name.lower() in _SECRETS else value for name, value in request.headers.items()}
    state.ledger.write(provider=PROVIDER, account=account, operation=operation, headers=headers, body=shown, fault=how)
    response, body = await _faulty(request, fault, answer=answer, error=error)
    state.ledger.write(
        provider=PROVIDER,
        account=account,
        operation=operation,
        direction="out",
        status=response.status,
        body=hide(body) if body is not None else None,
        fault=how,
    )
    return response


async def _faulty(
    request: web.Request, fault: Fault | None, *, answer: Answer, error: Callable[[str, str], dict[str, Any]]
) -> tuple[web.StreamResponse, dict[str, Any] | None]:
    if fault and fault.at != "after" and (broken := await _broken(request, fault, error=error)) is not None:
        return broken
    body = await answer(fault)
    if fault and fault.at == "after" and (broken := await _broken(request, fault, error=error)) is not None:
        return broken
    text = json.dumps(body, ensure_ascii=False)
    if fault and fault.how == "half_json":
        return web.Response(text=text[: len(text) // 2], content_type="application/json"), body
    if fault and fault.how in ("cut_body", "drip"):
        return await _slowly(request, text.encode(), fault), body
    return web.Response(text=text, content_type="application/json"), body


async def _broken(
    request: web.Request, fault: Fault, *, error: Callable[[str, str], dict[str, Any]]
) -> tuple[web.StreamResponse, dict[str, Any] | None] | None:
    if fault.how == "delay":
        await asyncio.sleep(fault.seconds)
    if fault.how == "error" and fault.at == "after":
        body = error(fault.code, fault.message)
        return web.json_response(body), body
    if fault.how == "html":
        page = _HTML.format(status=fault.status)
        return web.Response(text=page, status=fault.status, content_type="text/html"), None
    if fault.how in ("drop", "reset"):
        (wire.drop if fault.how == "drop" else wire.reset)(request)
        return web.Response(status=500), None
    return None


async def _slowly(request: web.Request, body: bytes, fault: Fault) -> web.StreamResponse:
    """A body that comes byte by byte, or whose second half never comes."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    try:
        for at in range(len(body) // 2 if fault.how == "cut_body" else len(body)):
            await response.write(body[at : at + 1])
            if fault.how == "drip":
                await asyncio.sleep(fault.seconds)
    except ConnectionError:
        return response
    if fault.how == "cut_body":
        wire.drop(request)
    return response


def parsed(raw: bytes) -> Any:
    """The JSON, or None when it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None
