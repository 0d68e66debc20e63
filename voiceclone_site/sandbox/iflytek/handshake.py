"""Before the upgrade: the signed URL, and faults that strike there."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time

from aiohttp import web

from .. import wire
from ..iflytek_options import IflytekAccount
from ..ledger import REDACTED
from ..state import STATE, State
from . import signatures
from .exchange import PROVIDER
from .refusals import HandshakeRefusal

OPERATION = "ifly:handshake"


async def shake(request: web.Request) -> IflytekAccount | web.Response:
    """Whose socket it is, or the answer in place of the upgrade."""
    state = request.app[STATE]
    options = state.options.iflytek
    now = time.time() + options.clock_shift
    try:
        account = signatures.account_of_url(
            request.query, path=request.path, host_header=request.headers.get("Host", ""), now=now, options=options
        )
    except HandshakeRefusal as refusal:
        _write(state, request, account="", status=refusal.status)
        return _refused(refusal.status, refusal.message, now=now)
    fault = state.faults.strike(operation=OPERATION, account=account.name)
    if fault and fault.how == "delay":
        await asyncio.sleep(fault.seconds)
    if fault and fault.how in ("drop", "reset"):
        _write(state, request, account=account.name, status=0, fault=fault.how)
        (wire.drop if fault.how == "drop" else wire.reset)(request)
        return web.Response(status=500)
    if fault and fault.how == "error":
        _write(state, request, account=account.name, status=fault.status, fault=fault.how)
        return _refused(fault.status, fault.message, now=now)
    _write(state, request, account=account.name, status=101, fault=fault.how if fault else "")
    return account


def _refused(status: int, message: str, *, now: float) -> web.Response:
    """As the vendor's edge answers: JSON that calls itself plain text, with the server's clock in Date."""
    return web.Response(
        status=status,
        body=json.dumps({"message": message}).encode(),
        headers={"Content-Type": "text/plain; charset=utf-8", "Date": email.utils.formatdate(now, usegmt=True)},
    )


def _write(state: State, request: web.Request, *, account: str, status: int, fault: str = "") -> None:
    query = {name: REDACTED if name == "authorization" else value for name, value in request.query.items()}
    state.ledger.write(
        provider=PROVIDER,
        account=account,
        operation=OPERATION,
        status=status,
        headers=request.headers,
        body={"path": request.path, **query},
        fault=fault,
    )
