"""`/_sandbox/qiniu/`: what a test may ask about Qiniu's side. Qiniu has no such paths."""

from __future__ import annotations

import dataclasses
import json

from aiohttp import web

from ..state import STATE
from . import clones


def install(app: web.Application) -> None:
    app.router.add_get("/_sandbox/qiniu/voices", _voices)
    app.router.add_patch("/_sandbox/qiniu/voices/{id}", _change_voice)
    app.router.add_delete("/_sandbox/qiniu/voices/{id}", _remove_voice)


async def _voices(request: web.Request) -> web.Response:
    return web.json_response([dataclasses.asdict(clone) for clone in clones.everyone(request.app[STATE])])


async def _change_voice(request: web.Request) -> web.Response:
    """End a training or hold it: {"state": "Init" | "Training" | "Success" | "Failed"}."""
    try:
        wanted = (await request.json()).get("state")
    except (json.JSONDecodeError, AttributeError):
        wanted = None
    if wanted not in clones.STATES:
        return web.json_response({"error": f"`state` must be one of {', '.join(clones.STATES)}."}, status=400)
    clone = _found(request)
    return web.json_response(dataclasses.asdict(await clones.put_state(request.app[STATE], clone, wanted)))


async def _remove_voice(request: web.Request) -> web.Response:
    """Gone at the provider, whatever its tier: by hand in the vendor's console, say."""
    clones.delete(request.app[STATE], _found(request))
    return web.json_response({})


def _found(request: web.Request) -> clones.Clone:
    for clone in clones.everyone(request.app[STATE]):
        if clone.id == request.match_info["id"]:
            return clone
    raise web.HTTPNotFound(text="No such voice: GET /_sandbox/qiniu/voices lists them.\n")
