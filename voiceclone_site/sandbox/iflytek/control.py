"""`/_sandbox/iflytek/`: the training tasks, to look at and to end by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

from aiohttp import web

from ..state import STATE
from . import tasks
from .tasks import Task

_REJECTED = "审核不通过"


def install(app: web.Application) -> None:
    app.router.add_get("/_sandbox/iflytek/tasks", _list)
    app.router.add_patch("/_sandbox/iflytek/tasks/{task_id}", _end)
    app.router.add_delete("/_sandbox/iflytek/tasks", _forget)


async def _list(request: web.Request) -> web.Response:
    return web.json_response([_shown(task) for task in tasks.everyone(request.app[STATE])])


async def _end(request: web.Request) -> web.Response:
    """End a training: {"trainStatus": 1} or {"trainStatus": 0, "failedDesc": "…"}."""
    state = request.app[STATE]
    asked = await request.json()
    task = tasks.find(state, request.match_info["task_id"])
    if task is None or asked.get("trainStatus") not in (tasks.FAILED, tasks.SUCCEEDED):
        raise web.HTTPBadRequest(text="Name a task of GET /_sandbox/iflytek/tasks and a trainStatus, 0 or 1.\n")
    reason = "" if asked["trainStatus"] == tasks.SUCCEEDED else asked.get("failedDesc") or _REJECTED
    if not reason:
        await state.studio.train(task.sha256)
    return web.json_response(_shown(tasks.end(state, task, failed_desc=reason)))


async def _forget(request: web.Request) -> web.Response:
    tasks.forget(request.app[STATE])
    return web.json_response([])


def _shown(task: Task) -> dict[str, Any]:
    fields = {name: value for name, value in dataclasses.asdict(task).items() if name not in ("number", "order")}
    return {"task_id": task.task_id, **fields, "order": dataclasses.asdict(task.order), "edition": task.order.edition}
