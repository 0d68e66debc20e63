"""The voices of each account, and their way from DEPLOYING to OK or UNDEPLOYED."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from aiohttp import web

from ..state import STATE, State
from . import refusals
from .refusals import RefusalError

DEPLOYING, OK, UNDEPLOYED = "DEPLOYING", "OK", "UNDEPLOYED"
STATUSES = (DEPLOYING, OK, UNDEPLOYED)
_CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class Voice:
    voice_id: str
    account: str
    model: str
    prefix: str
    status: str
    verdict: str
    """What the status will be when training has ended."""
    ready_at: float
    """Unix time before which it does not end."""
    sha256: str
    created: float
    modified: float


def china_time(moment: float) -> str:
    """As the provider writes times: China time, without a zone."""
    return datetime.fromtimestamp(moment, _CHINA).strftime("%Y-%m-%d %H:%M:%S")


async def create(state: State, *, account: str, model: str, prefix: str, sha256: str, verdict: str) -> Voice:
    """Make a voice and start its training. Raises RefusalError when the account's quota is full."""
    count = state.connection.execute("SELECT COUNT(*) FROM aliyun_voices WHERE account = ?", (account,)).fetchone()[0]
    if count >= state.options.quota:
        raise RefusalError("Throttling.AllocationQuota", f"您当前的配额为{state.options.quota}，已用完。", status=400)
    now = time.time()
    voice_id = f"{model}-{prefix}-{uuid.uuid4().hex}"
    voice = Voice(
        voice_id=voice_id,
        account=account,
        model=model,
        prefix=prefix,
        status=DEPLOYING,
        verdict=verdict,
        ready_at=now + state.options.train_seconds,
        sha256=sha256,
        created=now,
        modified=now,
    )
    _save(state, voice)
    await _train(state, voice)
    return voice


async def retrain(state: State, *, voice: Voice, sha256: str, verdict: str) -> None:
    """Put another sample under the same id."""
    now = time.time()
    ready_at = now + state.options.train_seconds
    changed = dataclasses.replace(
        voice, status=DEPLOYING, verdict=verdict, ready_at=ready_at, sha256=sha256, modified=now
    )
    _save(state, changed)
    await _train(state, changed)


async def _train(state: State, voice: Voice) -> None:
    training = state.studio.train(voice.sha256)
    if not state.options.train_seconds:
        await asyncio.shield(training)


async def resume(app: web.Application) -> None:
    """Go on with what was in training when the sandbox was last ended, however it was ended."""
    state = app[STATE]
    for row in state.connection.execute("SELECT sha256 FROM aliyun_voices WHERE status = ?", (DEPLOYING,)).fetchall():
        state.studio.train(row["sha256"])


def find(state: State, *, account: str, voice_id: str) -> Voice:
    """A voice of this account as it stands now. Raises RefusalError for an id unknown to the account."""
    row = state.connection.execute(
        "SELECT * FROM aliyun_voices WHERE voice_id = ? AND account = ?", (voice_id, account)
    ).fetchone()
    if row is None:
        raise refusals.no_such_voice()
    return _settled(state, Voice(**dict(row)))


def page(state: State, *, account: str, prefix: str, index: int, size: int) -> list[Voice]:
    """Newest first. The provider does not say its order."""
    rows = state.connection.execute(
        "SELECT * FROM aliyun_voices WHERE account = ? AND (? = '' OR prefix = ?)"
        " ORDER BY created DESC, voice_id LIMIT ? OFFSET ?",
        (account, prefix, prefix, size, index * size),
    ).fetchall()
    return [_settled(state, Voice(**dict(row))) for row in rows]


def everyone(state: State) -> list[Voice]:
    """All voices of all accounts, for the control API."""
    rows = state.connection.execute("SELECT * FROM aliyun_voices ORDER BY created, voice_id").fetchall()
    return [_settled(state, Voice(**dict(row))) for row in rows]


def delete(state: State, voice: Voice) -> None:
    state.connection.execute("DELETE FROM aliyun_voices WHERE voice_id = ?", (voice.voice_id,))
    state.connection.execute(
        "DELETE FROM samples WHERE sha256 = ? AND NOT EXISTS (SELECT 1 FROM aliyun_voices WHERE sha256 = ?)",
        (voice.sha256, voice.sha256),
    )


def put_status(state: State, voice: Voice, status: str) -> Voice:
    """Set a status by hand: a review that rejects an OK voice, or a training that ends early."""
    ready_at = voice.ready_at if status != DEPLOYING else time.time() + 86400
    changed = dataclasses.replace(voice, status=status, verdict=status, ready_at=ready_at, modified=time.time())
    if status == DEPLOYING:
        changed = dataclasses.replace(changed, verdict=OK)
    _save(state, changed)
    return changed


def _settled(state: State, voice: Voice) -> Voice:
    """Training ends when its time has come and its print is there."""
    if voice.status != DEPLOYING or time.time() < voice.ready_at:
        return voice
    if voice.verdict == OK and state.studio.print_of(voice.sha256) is None:
        return voice
    done = dataclasses.replace(voice, status=voice.verdict, modified=time.time())
    _save(state, done)
    return done


def _save(state: State, voice: Voice) -> None:
    fields = dataclasses.asdict(voice)
    state.connection.execute(
        f"INSERT OR REPLACE INTO aliyun_voices ({', '.join(fields)})"  # noqa: S608  the names are our dataclass's own
        f" VALUES ({', '.join(':' + name for name in fields)})",
        fields,
    )
