"""The socket: one conversation is a handshake and then tasks, one after another."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from .. import wire
from ..state import STATE, State
from . import frames, refusals, voices
from .accounts import authenticate
from .conversation import PROVIDER, Conversation
from .refusals import RefusalError
from .task import Task

_LARGEST_FRAME = 4 * 1024 * 1024
_CLOSE_SECONDS = 1.0


async def handle(request: web.Request) -> web.StreamResponse:
    """GET …/api-ws/v1/inference: the key decides before the upgrade."""
    state = request.app[STATE]
    try:
        account = authenticate(request.headers, keys=state.options.aliyun_keys)
    except RefusalError as refusal:
        _write_handshake(state, request, account="", status=401)
        return web.json_response({"code": refusal.code, "message": refusal.message}, status=401)
    fault = state.faults.strike(operation="handshake", account=account)
    if fault and fault.how == "delay":
        await asyncio.sleep(fault.seconds)
    if fault and fault.how in ("drop", "reset"):
        _write_handshake(state, request, account=account, status=0, fault=fault.how)
        (wire.drop if fault.how == "drop" else wire.reset)(request)
        return web.Response(status=500)
    if fault and fault.how == "error":
        _write_handshake(state, request, account=account, status=fault.status, fault=fault.how)
        return web.json_response({"code": fault.code, "message": fault.message}, status=fault.status)
    _write_handshake(state, request, account=account, status=101, fault=fault.how if fault else "")
    # The provider negotiates no compression, and sends no pings of its own.
    socket = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST_FRAME, timeout=_CLOSE_SECONDS)
    await socket.prepare(request)
    await Conversation(request, socket, state=state, account=account).run(one_task)
    return socket


def _write_handshake(state: State, request: web.Request, *, account: str, status: int, fault: str = "") -> None:
    state.ledger.write(
        provider=PROVIDER,
        account=account,
        operation="handshake",
        status=status,
        headers=request.headers,
        body={"path": request.path},
        fault=fault,
    )


async def one_task(conversation: Conversation, text: str) -> bool:
    """Run the task that `text` opens; whether the connection may be used for another."""
    task_id = frames.task_id_of(text)
    try:
        frame = frames.parse(text)
        conversation.write(frame.action, body=json.loads(text))
        if frame.action != "run-task":
            raise refusals.invalid(f"{frame.action} came before run-task.")
        order = _admitted(conversation, frame)
        return await Task(conversation, frame, order=order, voice=_voice(conversation, order)).run()
    except RefusalError as refusal:
        if not task_id:
            conversation.write("broken-frame", body=text)
        await conversation.send_event(frames.failed(refusal, task_id=task_id))
        return False


def _admitted(conversation: Conversation, frame: frames.Frame) -> frames.Order:
    state = conversation.state
    if not state.gate.admits(account=conversation.account, kind="synthesis", rate=state.options.synthesis_rate):
        raise refusals.too_many()
    return frames.order(frame.payload)


def _voice(conversation: Conversation, order: frames.Order) -> voices.Voice:
    try:
        found = voices.find(conversation.state, account=conversation.account, voice_id=order.voice_id)
    except RefusalError:
        found = None
    return frames.check_voice(found, order, conversation.state.options)
