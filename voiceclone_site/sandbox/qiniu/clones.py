"""The places of each account, and their way from Init over Training to Success or Failed."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from dataclasses import dataclass

from aiohttp import web

from ..state import STATE, State
from .envelopes import RefusalError

INIT, TRAINING, SUCCESS, FAILED = "Init", "Training", "Success", "Failed"
STATES = (INIT, TRAINING, SUCCESS, FAILED)
FREE, PRO = "free", "pro"
_HELD_SECONDS = 86400


@dataclass(frozen=True)
class Clone:
    id: str
    account: str
    name: str
    language: str
    tier: str
    state: str
    verdict: str
    """What the state will be when training has ended."""
    ready_at: float
    """Unix time before which it does not end."""
    sha256: str
    """Of the sample in training or last trained from; empty before."""
    demo_sha256: str
    """Of the sample that the demo speaks like; empty until a training has succeeded."""
    created: float


def create(state: State, *, account: str, language: str, tier: str) -> Clone:
    clone_id = uuid.uuid4().hex
    clone = Clone(
        id=clone_id,
        account=account,
        name=f"复刻音色-{clone_id[-5:]}",
        language=language,
        tier=tier,
        state=INIT,
        verdict="",
        ready_at=0,
        sha256="",
        demo_sha256="",
        created=time.time(),
    )
    return _save(state, clone)


def find(state: State, *, account: str, clone_id: str) -> Clone:
    """A place of this account as it stands now. Raises RefusalError 404 for an id unknown to the account."""
    row = state.connection.execute(
        "SELECT * FROM qiniu_voices WHERE id = ? AND account = ?", (clone_id, account)
    ).fetchone()
    if row is None:
        raise RefusalError(404)
    return _settled(state, Clone(**dict(row)))


def everyone(state: State, *, account: str = "") -> list[Clone]:
    """All places of an account, or of all; the provider does not say its order."""
    rows = state.connection.execute(
        "SELECT * FROM qiniu_voices WHERE :account = '' OR account = :account ORDER BY created DESC, id",
        {"account": account},
    ).fetchall()
    return [_settled(state, Clone(**dict(row))) for row in rows]


def rename(state: State, clone: Clone, name: str) -> Clone:
    return _save(state, dataclasses.replace(clone, name=name))


async def train(state: State, clone: Clone, *, name: str, sha256: str, verdict: str) -> Clone:
    """Start a training. Raises RefusalError 400 while one is under way."""
    if clone.state == TRAINING:
        raise RefusalError(400, "音色正在训练中")
    in_training = _save(
        state,
        dataclasses.replace(
            clone,
            name=name,
            language=clone.language or "zh",
            state=TRAINING,
            verdict=verdict,
            ready_at=time.time() + state.options.train_seconds,
            sha256=sha256,
        ),
    )
    if verdict == SUCCESS:
        training = state.studio.train(sha256)
        if not state.options.train_seconds:
            await asyncio.shield(training)
    return in_training


async def resume(app: web.Application) -> None:
    """Go on with what was in training when the sandbox was last ended, however it was ended."""
    state = app[STATE]
    rows = state.connection.execute(
        "SELECT sha256 FROM qiniu_voices WHERE state = ? AND verdict = ?", (TRAINING, SUCCESS)
    ).fetchall()
    for row in rows:
        state.studio.train(row["sha256"])


async def put_state(state: State, clone: Clone, wanted: str) -> Clone:
    """Set a state by hand: end a training well or badly, or hold one for a day."""
    changed = dataclasses.replace(clone, state=wanted)
    if wanted == TRAINING:
        changed = dataclasses.replace(changed, verdict=SUCCESS, ready_at=time.time() + _HELD_SECONDS)
    if wanted == SUCCESS and clone.sha256:
        await state.studio.train(clone.sha256)
        changed = dataclasses.replace(changed, demo_sha256=clone.sha256)
    return _save(state, changed)


def delete(state: State, clone: Clone) -> None:
    state.connection.execute("DELETE FROM qiniu_voices WHERE id = ?", (clone.id,))


def forget(state: State) -> None:
    """Everything of every account, and what was paid."""
    state.connection.execute("DELETE FROM qiniu_voices")
    state.connection.execute("DELETE FROM qiniu_trainings_used")


def _settled(state: State, clone: Clone) -> Clone:
    """Training ends when its time has come and its print is there."""
    if clone.state != TRAINING or time.time() < clone.ready_at:
        return clone
    if clone.verdict == FAILED:
        return _save(state, dataclasses.replace(clone, state=FAILED))
    if state.studio.print_of(clone.sha256) is None:
        return clone
    return _save(state, dataclasses.replace(clone, state=SUCCESS, demo_sha256=clone.sha256))


def _save(state: State, clone: Clone) -> Clone:
    fields = dataclasses.asdict(clone)
    state.connection.execute(
        f"INSERT OR REPLACE INTO qiniu_voices ({', '.join(fields)})"  # noqa: S608  the names are our dataclass's own
        f" VALUES ({', '.join(':' + name for name in fields)})",
        fields,
    )
    return clone
