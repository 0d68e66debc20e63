"""Qiniu's other product, AI inference: a list of voices and speech over a WebSocket, with keys of its own.

Its page documents stock voices only. Whether clones are among them, and whether an unknown one is refused or answered with another
voice, nobody has published, so both are options.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web

from .. import wire
from ..faults import Fault
from ..speech import speaking, timbre
from ..speech.encoding import encoder
from ..speech.speaking import Manner
from ..speech.voiceprint import VoicePrint
from ..state import STATE, State
from . import clones
from .accounts import authenticate
from .envelopes import RefusalError
from .samples import PROVIDER
from .socket import TASK, Socket

LIST, HANDSHAKE = "qiniu:list", "qiniu:handshake"
STOCK = "qiniu_zh_female_tmjxxy"
ENCODINGS = ("mp3", "wav", "pcm")
RATE = 24_000

_LARGEST_MESSAGE = 64 * 1024
_CLOSE_SECONDS = 1.0
_SENTENCE = re.compile(r".+?(?:[。！？!?\n]+|$)", re.DOTALL)
_STRANGER = VoicePrint(f0=215.0, low=172.0, high=268.0, formant=1.08, gains=(0.0,) * timbre.BANDS)


async def list_voices(request: web.Request) -> web.StreamResponse:
    """GET /v1/voice/list: a bare array."""
    account = _account(request, LIST)
    if isinstance(account, web.Response):
        return account
    state = request.app[STATE]
    fault = state.faults.strike(operation=LIST, account=account)
    how = fault.how if fault else ""
    state.ledger.write(provider=PROVIDER, account=account, operation=LIST, headers=request.headers, fault=how)
    if fault and (broken := await _broken(request, fault)) is not None:
        return broken
    if how == "half_json":
        return web.Response(text='[{"voice_name": "甜美', content_type="application/json")
    return web.json_response(_voices(state, account))


def _voices(state: State, account: str) -> list[dict[str, Any]]:
    named = [("甜美教学小源", STOCK, "传统音色", 1747812605559)]
    if state.options.qiniu_listed == "clones":
        ready = [clone for clone in clones.everyone(state, account=account) if clone.state == clones.SUCCESS]
        named += [(clone.name, clone.id, "复刻音色", int(clone.created * 1000)) for clone in ready]
    return [
        {"voice_name": name, "voice_type": kind, "url": "", "category": category, "updatetime": updated}
        for name, kind, category, updated in named
    ]


async def speak(request: web.Request) -> web.StreamResponse:
    """GET /v1/voice/tts: key and voice decide before the upgrade; one message, then audio."""
    account = _account(request, HANDSHAKE)
    if isinstance(account, web.Response):
        return account
    state = request.app[STATE]
    note = partial(state.ledger.write, provider=PROVIDER, account=account, operation=HANDSHAKE, headers=request.headers)
    fault = state.faults.strike(operation=HANDSHAKE, account=account)
    if fault and (broken := await _broken(request, fault)) is not None:
        note(status=broken.status, fault=fault.how)
        return broken
    if not state.gate.admits(account=account, kind="synthesis", rate=state.options.synthesis_rate):
        note(status=429)
        return _refused(429, "too many requests")
    wanted = request.headers.get("VoiceType", "")
    voice = _voice(state, account, wanted)
    if voice is None:
        note(status=400)
        return _refused(400, "invalid voice type")
    note(status=101)
    answer = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST_MESSAGE, timeout=_CLOSE_SECONDS)
    await answer.prepare(request)
    task = state.faults.strike(operation=TASK, account=account)
    async with Socket(request, answer, state=state, account=account, fault=task) as socket:
        await _task(socket, wanted=wanted, voice=voice)
    return answer


def _voice(state: State, account: str, wanted: str) -> VoicePrint | None:
    if wanted == STOCK:
        return _STRANGER
    try:
        clone = clones.find(state, account=account, clone_id=wanted)
        voice = state.studio.print_of(clone.sha256) if clone.state == clones.SUCCESS else None
    except RefusalError:
        voice = None
    if voice is None and state.options.qiniu_unknown_voice == "stranger":
        return _STRANGER
    return voice


async def _task(socket: Socket, *, wanted: str, voice: VoicePrint) -> None:
    options = socket.state.options
    message = await socket.receive(options.idle_seconds)
    order = _order(message, wanted=wanted)
    if isinstance(order, str):
        await socket.refuse(order)
    text, encoding, speed = order
    await socket.breaks(at="start")
    await socket.pause(options.first_audio_seconds)
    await socket.breaks(at="before")
    codec = encoder(encoding, source_rate=speaking.RATE, rate=RATE)
    work = socket.state.studio.work
    seconds = 0.0
    for sentence in _SENTENCE.findall(text):
        spoken = await work(partial(speaking.speak, sentence, voice=voice, manner=Manner(rate=speed, language="zh")))
        seconds += spoken.seconds
        sound = await work(partial(codec.add, spoken.samples)) if len(spoken.samples) else b""
        await socket.send(sound, characters=len(sentence))
        if options.speed:
            await socket.pause(spoken.seconds / options.speed)
    await socket.send(await work(codec.finish), is_last=True, duration=f"{seconds * 1000:.0f}")
    await socket.close()


def _order(message: Any, *, wanted: str) -> tuple[str, str, float] | str:
    """Text, encoding and speed; or what is wrong with the message."""
    audio, given = (message.get("audio"), message.get("request")) if isinstance(message, dict) else (None, None)
    if not isinstance(audio, dict) or not isinstance(given, dict):
        return "invalid request"
    text, encoding, speed = given.get("text"), audio.get("encoding"), audio.get("speed_ratio", 1.0)
    if audio.get("voice_type") != wanted or encoding not in ENCODINGS:
        return "invalid audio"
    if not isinstance(speed, int | float) or not 0.5 <= speed <= 2.0:
        return "invalid speed_ratio"
    if not isinstance(text, str) or not text.strip():
        return "text is empty"
    return text, encoding, float(speed)


# --- before the upgrade ----------------------------------------------------------------------------------------------


def _account(request: web.Request, operation: str) -> str | web.Response:
    state = request.app[STATE]
    try:
        return authenticate(request.headers, keys=state.options.qiniu_tts_keys)
    except RefusalError:
        state.ledger.write(provider=PROVIDER, account="", operation=operation, status=401, headers=request.headers)
        return _refused(401, "invalid api key")


async def _broken(request: web.Request, fault: Fault) -> web.Response | None:
    cut: dict[str, Callable[[web.Request], None]] = {"drop": wire.drop, "reset": wire.reset}
    if fault.how == "delay":
        await asyncio.sleep(fault.seconds)
    elif fault.how in cut:
        cut[fault.how](request)
        return web.Response(status=500)
    elif fault.how == "error":
        return _refused(fault.status, fault.message)
    elif fault.how == "html":
        return web.Response(text="<html><h1>Bad Gateway</h1></html>", status=fault.status, content_type="text/html")
    return None


def _refused(status: int, message: str) -> web.Response:
    headers = {"Retry-After": "2"} if status == 429 else {}
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)
