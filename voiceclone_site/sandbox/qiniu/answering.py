"""Around every call: who asks, what is to go wrong, what is written down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from .. import wire
from ..faults import Fault
from ..state import STATE
from .accounts import authenticate
from .envelopes import RefusalError, refused, success
from .samples import PROVIDER

_HTML = "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"

Work = Callable[[web.Request, str, Any, Fault | None], Awaitable[object]]
"""What a call does, from the request, its account, its JSON body and the fault in force to `data`."""


async def answered(request: web.Request, operation: str, work: Work, *, numbered: bool = True) -> web.StreamResponse:
    state = request.app[STATE]
    body = _parsed(await request.text())
    write = partial(
        state.ledger.write, provider=PROVIDER, operation=operation, voice_id=request.match_info.get("id", "")
    )
    try:
        account = authenticate(request.headers, keys=state.options.qiniu_keys)
    except RefusalError as refusal:
        write(account="", headers=request.headers, body=body)
        write(account="", direction="out", status=refusal.code)
        return refused(refusal, state.options)
    fault = state.faults.strike(operation=operation, account=account)
    how = fault.how if fault else ""
    write(account=account, headers=request.headers, body=body, fault=how)
    try:
        answer = await _faulty(request, account, body, fault, partial(_told, numbered=numbered), work)
    except RefusalError as refusal:
        answer = refused(refusal, state.options)
    shown = _parsed(answer.text or "") if isinstance(answer, web.Response) else None
    write(account=account, direction="out", status=answer.status, body=shown, fault=how)
    return answer


async def _faulty(
    request: web.Request, account: str, body: Any, fault: Fault | None, tell: Callable[..., web.Response], work: Work
) -> web.StreamResponse:
    """Do what was asked, unless a fault stands before the effect; then what the fault makes of the answer."""
    if fault and fault.at == "before" and (broken := await _broken(request, fault)) is not None:
        return broken
    data = await work(request, account, body, fault)
    if fault and fault.at == "after" and (broken := await _broken(request, fault)) is not None:
        return broken
    return tell(request, data, fault)


async def _broken(request: web.Request, fault: Fault) -> web.StreamResponse | None:
    if fault.how == "delay":
        await asyncio.sleep(fault.seconds)
    if fault.how == "error":
        message = fault.message if fault.code.isdigit() else ""
        code = int(fault.code) if fault.code.isdigit() else fault.status
        return refused(RefusalError(code, message), request.app[STATE].options)
    if fault.how == "html":
        return web.Response(text=_HTML.format(status=fault.status), status=fault.status, content_type="text/html")
    if fault.how in ("drop", "reset"):
        (wire.drop if fault.how == "drop" else wire.reset)(request)
        return web.Response(status=500)
    return None


def _told(request: web.Request, data: object, fault: Fault | None, *, numbered: bool) -> web.Response:
    how = fault.how if fault else ""
    if how == "unknown_state" and isinstance(data, dict):
        data = {**data, "state": "Polishing"}
    whole = success(data, request.app[STATE].options, code="0" if how == "string_code" else 0, numbered=numbered)
    if how == "no_data":
        del whole["data"]
    if how == "contradiction" and fault is not None:
        return web.json_response(whole, status=fault.status)
    text = json.dumps(whole, ensure_ascii=False)
    if how == "half_json":
        text = text[: len(text) // 2]
    return web.Response(text=text, content_type="application/json")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text or None
