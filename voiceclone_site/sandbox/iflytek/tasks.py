"""The training tasks of each application: draft, training, then succeeded with a res_id or failed with a reason."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from ..iflytek_options import IflytekAccount
from ..speech.voiceprint import VoicePrint
from ..state import STATE, State
from . import callback, examining, stock, texts
from .examining import Upload
from .exchange import PROVIDER

TRAINING, FAILED, SUCCEEDED, DRAFT = -1, 0, 1, 2
OMNI, STANDARD = "omni", "standard"
_FIRST_NUMBER = 1_000_000


@dataclass(frozen=True)
class Order:
    """What task/add was told, defaults filled in, and the audio that was added since."""

    task_name: str = ""
    resource_name: str = ""
    sex: int = 1
    age_group: int = 1
    language: str = "cn"
    engine_version: str = ""
    denoise: int = 0
    mos_ratio: float = 0.0
    third_user: str = ""
    callback_url: str = ""
    text_id: int = 0
    segment_id: int = 0
    audio_url: str = ""
    file_name: str = ""

    @property
    def edition(self) -> str:
        return OMNI if self.engine_version == "omni_v1" else STANDARD


@dataclass(frozen=True)
class Task:
    number: int
    account: str
    app_id: str
    order: Order
    status: int
    failed_desc: str
    """Why it failed or, while it trains, is going to; else empty."""
    ready_at: float
    sha256: str
    """Of the sample; empty as long as there is none."""
    res_id: str
    submitted: bool
    called_back: bool
    created: float

    @property
    def task_id(self) -> str:
        return str(_FIRST_NUMBER + self.number)

    @property
    def library_id(self) -> str:
        """`trainVid`."""
        return str(500_000 + self.number)


class Trainer:
    """The trainings under way in this process."""

    def __init__(self) -> None:
        self._running: dict[int, asyncio.Task[None]] = {}

    def start(self, number: int, job: Callable[[], Any]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(job())
        self._running[number] = task
        task.add_done_callback(lambda _: self._running.pop(number, None))
        return task

    async def close(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)


TRAINER = web.AppKey("iflytek_trainer", Trainer)


def create(state: State, *, account: IflytekAccount, order: Order) -> Task:
    cursor = state.connection.execute(
        "INSERT INTO iflytek_trainings (account, app_id, order_json, status, failed_desc, ready_at, sha256, res_id,"
        " submitted, called_back, created) VALUES (?, ?, ?, ?, '', 0, '', '', 0, 0, ?)",
        (account.name, account.app_id, json.dumps(dataclasses.asdict(order)), DRAFT, time.time()),
    )
    return _select(state, "number = ?", cursor.lastrowid)[0]


def find(state: State, task_id: str) -> Task | None:
    """A task of any application, as it stands now."""
    if not task_id.isascii() or not task_id.isdigit():
        return None
    found = _select(state, "number = ?", int(task_id) - _FIRST_NUMBER)
    return found[0] if found else None


def voice(state: State, *, app_id: str, res_id: str) -> Task | None:
    """The task that made a voice, if it was this application's and has succeeded."""
    found = [
        task for task in _select(state, "res_id = ?", res_id) if task.app_id == app_id and task.status == SUCCEEDED
    ]
    return found[0] if found else None


def everyone(state: State) -> list[Task]:
    return _select(state, "1 = ? ORDER BY number", 1)


def count(state: State, *, account: str, status: int) -> int:
    return sum(task.status == status for task in _select(state, "account = ?", account))


def add_audio(state: State, task: Task, *, order: Order, sha256: str) -> Task:
    return save(state, dataclasses.replace(task, order=order, sha256=sha256))


async def submit(app: web.Application, task: Task, *, mismatch: bool) -> None:
    """Start training; with a training time of 0 it has ended when this returns."""
    state = app[STATE]
    ready_at = time.time() + state.options.train_seconds
    reason = examining.MISMATCH if mismatch else ""
    begun = dataclasses.replace(task, status=TRAINING, submitted=True, failed_desc=reason, ready_at=ready_at)
    save(state, begun)
    training = app[TRAINER].start(task.number, partial(_train, state, begun))
    if not state.options.train_seconds:
        await asyncio.shield(training)


async def resume(app: web.Application) -> None:
    """Go on with what was in training when the sandbox was last ended, however it was ended."""
    for task in everyone(app[STATE]):
        if task.status == TRAINING or (task.submitted and task.order.callback_url and not task.called_back):
            app[TRAINER].start(task.number, partial(_train, app[STATE], task))


async def _train(state: State, task: Task) -> None:
    if task.status == TRAINING:
        task = await _learn(state, task)
    if task.status != TRAINING and task.order.callback_url and not task.called_back:
        await callback.send(state, account=task.account, url=task.order.callback_url, body=_news(task))
        save(state, dataclasses.replace(task, called_back=True))


async def _learn(state: State, task: Task) -> Task:
    reason = task.failed_desc or await _complaint(state, task)
    if not reason:
        await state.studio.train(task.sha256)
    await asyncio.sleep(max(0.0, task.ready_at - time.time()))
    now = find(state, task.task_id)
    if now is None or now.status != TRAINING:
        return now or task
    return end(state, now, failed_desc=reason)


async def _complaint(state: State, task: Task) -> str:
    audio = state.studio.sample(task.sha256)
    if audio is None or not task.order.file_name:
        return ""
    sentence = texts.segment(task.order.text_id, task.order.segment_id) or ""
    job = partial(
        examining.complaint, Upload(audio, task.order.file_name), sentence=sentence, mos_ratio=task.order.mos_ratio
    )
    return await state.studio.work(job)


def end(state: State, task: Task, *, failed_desc: str) -> Task:
    """Finish a training, at its own time or by hand."""
    status = FAILED if failed_desc else SUCCEEDED
    res_id = "" if failed_desc else task.res_id or _res_id(task.app_id)
    done = save(state, dataclasses.replace(task, status=status, failed_desc=failed_desc, res_id=res_id))
    if res_id:
        state.ledger.write(
            provider=PROVIDER, account=task.account, operation="created", direction="out", voice_id=res_id
        )
    return done


def imagine(state: State, *, sha256: str, seed: str) -> None:
    """A print for a sample that nobody fetched."""
    made: VoicePrint = stock.made_up(seed)
    state.connection.execute("INSERT OR REPLACE INTO prints VALUES (?, ?)", (sha256, made.to_json()))


def forget(state: State) -> None:
    state.connection.execute("DELETE FROM iflytek_trainings")
    state.connection.execute("DELETE FROM iflytek_calls")


def save(state: State, task: Task) -> Task:
    state.connection.execute(
        "UPDATE iflytek_trainings SET order_json = ?, status = ?, failed_desc = ?, ready_at = ?, sha256 = ?,"
        " res_id = ?, submitted = ?, called_back = ? WHERE number = ?",
        (
            json.dumps(dataclasses.asdict(task.order)),
            task.status,
            task.failed_desc,
            task.ready_at,
            task.sha256,
            task.res_id,
            task.submitted,
            task.called_back,
            task.number,
        ),
    )
    return task


def _select(state: State, where: str, value: object) -> list[Task]:
    rows = state.connection.execute(f"SELECT * FROM iflytek_trainings WHERE {where}", (value,))  # noqa: S608  our own words
    return [_task(dict(row)) for row in rows]


def _task(row: dict[str, Any]) -> Task:
    order = Order(**json.loads(row.pop("order_json")))
    submitted, called_back = bool(row.pop("submitted")), bool(row.pop("called_back"))
    return Task(order=order, submitted=submitted, called_back=called_back, **row)


def _res_id(app_id: str) -> str:
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
    return f"{secrets.token_hex(4)[:7]}_ttsclone-{app_id}-{letters}"


def _news(task: Task) -> dict[str, str]:
    return {
        "taskId": task.task_id,
        "taskName": task.order.task_name,
        "trainStatus": str(task.status),
        "trainVid": task.library_id,
        "trainVcn": task.res_id,
        "resourceType": "12",
    }
