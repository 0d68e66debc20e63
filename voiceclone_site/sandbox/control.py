"""`/_sandbox/`: what a test or a person may ask of the sandbox itself. No provider has these paths."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from aiohttp import web

from . import ledger
from .aliyun import voices
from .faults import UnknownFaultError, parse
from .iflytek import tasks
from .options import CHANGEABLE
from .qiniu import clones
from .state import STATE


def install(app: web.Application) -> None:
    app.router.add_get("/_sandbox/health", _health)
    app.router.add_get("/_sandbox/options", _options)
    app.router.add_patch("/_sandbox/options", _change_options)
    app.router.add_get("/_sandbox/voices", _voices)
    app.router.add_patch("/_sandbox/voices/{voice_id}", _change_voice)
    app.router.add_delete("/_sandbox/voices", _forget_voices)
    app.router.add_get("/_sandbox/ledger", _ledger)
    app.router.add_get("/_sandbox/bill", _bill)
    app.router.add_delete("/_sandbox/ledger", _clear_ledger)
    app.router.add_get("/_sandbox/faults", _faults)
    app.router.add_post("/_sandbox/faults", _add_fault)
    app.router.add_delete("/_sandbox/faults", _clear_faults)
    app.router.add_delete("/_sandbox/faults/{fault_id:[0-9]+}", _clear_faults)
    app.router.add_get("/_sandbox/samples/{sha256:[0-9a-f]{64}}", _sample)


async def _health(request: web.Request) -> web.Response:
    state = request.app[STATE]
    count = len(voices.everyone(state)) + len(clones.everyone(state)) + len(tasks.everyone(state))
    return web.json_response({"status": "ok", "voices": count, "faults": len(state.faults.list())})


def _shown_options(request: web.Request) -> dict[str, Any]:
    options = request.app[STATE].options
    shown = {name: getattr(options, name) for name in CHANGEABLE}
    iflytek = {name: value for name, value in dataclasses.asdict(options.iflytek).items() if name != "accounts"}
    return {**shown, "iflytek": iflytek}


async def _options(request: web.Request) -> web.Response:
    return web.json_response(_shown_options(request))


async def _change_options(request: web.Request) -> web.Response:
    asked = await _object(request)
    if strange := set(asked) - set(CHANGEABLE):
        return _bad(f"Cannot change {', '.join(sorted(strange))}; only {', '.join(CHANGEABLE)}.")
    state = request.app[STATE]
    if "iflytek" in asked:
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in asked["iflytek"].items()
        }
        try:
            asked["iflytek"] = dataclasses.replace(state.options.iflytek, **given)
        except TypeError as error:
            return _bad(f"No such iFlytek option: {error}. GET /_sandbox/options lists them.")
    state.options = dataclasses.replace(state.options, **asked)
    return web.json_response(_shown_options(request))


async def _voices(request: web.Request) -> web.Response:
    return web.json_response([dataclasses.asdict(voice) for voice in voices.everyone(request.app[STATE])])


async def _change_voice(request: web.Request) -> web.Response:
    """End a training, or have an accepted voice rejected: {"status": "OK" | "UNDEPLOYED" | "DEPLOYING"}."""
    state, voice_id = request.app[STATE], request.match_info["voice_id"]
    status = (await _object(request)).get("status")
    if status not in voices.STATUSES:
        return _bad(f"`status` must be one of {', '.join(voices.STATUSES)}.")
    found = [voice for voice in voices.everyone(state) if voice.voice_id == voice_id]
    if not found:
        raise web.HTTPNotFound(text=f"No voice {voice_id}: GET /_sandbox/voices lists them.\n")
    if status == voices.OK:
        await state.studio.train(found[0].sha256)
    return web.json_response(dataclasses.asdict(voices.put_status(state, found[0], status)))


async def _forget_voices(request: web.Request) -> web.Response:
    state = request.app[STATE]
    for voice in voices.everyone(state):
        voices.delete(state, voice)
    clones.forget(state)
    tasks.forget(state)
    return web.json_response([])


async def _ledger(request: web.Request) -> web.Response:
    query = request.query
    found = request.app[STATE].ledger.entries(
        operation=query.get("operation", ""), account=query.get("account", ""), direction=query.get("direction", "")
    )
    return web.json_response([ledger.as_json(entry) for entry in found])


async def _bill(request: web.Request) -> web.Response:
    account = request.query.get("account", "")
    return web.json_response({"account": account, "characters": request.app[STATE].ledger.characters(account)})


async def _clear_ledger(request: web.Request) -> web.Response:
    request.app[STATE].ledger.clear()
    return web.json_response([])


async def _faults(request: web.Request) -> web.Response:
    return web.json_response([dataclasses.asdict(fault) for fault in request.app[STATE].faults.list()])


async def _add_fault(request: web.Request) -> web.Response:
    try:
        fault = request.app[STATE].faults.add(parse(await _object(request)))
    except (UnknownFaultError, TypeError) as error:
        return _bad(str(error))
    return web.json_response(dataclasses.asdict(fault), status=201)


async def _clear_faults(request: web.Request) -> web.Response:
    fault_id = request.match_info.get("fault_id")
    request.app[STATE].faults.clear(int(fault_id) if fault_id else None)
    return web.json_response([])


async def _sample(request: web.Request) -> web.Response:
    """What `resource_link` of query_voice points at."""
    audio = request.app[STATE].studio.sample(request.match_info["sha256"])
    if audio is None:
        raise web.HTTPNotFound(text="No such sample: its voice was deleted.\n")
    return web.Response(body=audio, content_type="application/octet-stream")


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text="Send a JSON object.\n")
    return found


def _bad(message: str) -> web.Response:
    return web.json_response({"error": message}, status=400)
