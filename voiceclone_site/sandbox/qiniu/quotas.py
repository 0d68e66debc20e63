"""`/v1/quotas`: the paid trainings of an account, as packages of which one has expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from ..faults import Fault
from ..state import STATE, State
from .answering import answered
from .envelopes import RefusalError

_RESOURCE_TYPE = "1"
_LARGEST_PAGE = 100
_ACTIVE = 0


async def get(request: web.Request) -> web.StreamResponse:
    return await answered(request, "get_quota", _page, numbered=False)


def use_one(state: State, account: str) -> None:
    """Charge one paid training. Raises RefusalError 400 when none is left."""
    if used(state, account) >= state.options.qiniu_paid_trainings:
        raise RefusalError(400, "音色训练额度不足")
    state.connection.execute(
        "INSERT INTO qiniu_trainings_used VALUES (?, 1) ON CONFLICT (account) DO UPDATE SET used = used + 1", (account,)
    )


def used(state: State, account: str) -> int:
    row = state.connection.execute("SELECT used FROM qiniu_trainings_used WHERE account = ?", (account,)).fetchone()
    return int(row["used"]) if row else 0


async def _page(request: web.Request, account: str, body: Any, fault: Fault | None) -> object:
    query = request.query
    limit, cursor = query.get("limit", str(_LARGEST_PAGE)), query.get("cursor", "0")
    if query.get("resource_type") != _RESOURCE_TYPE or not limit.isdigit() or not cursor.isdigit():
        raise RefusalError(400)
    if not 1 <= int(limit) <= _LARGEST_PAGE:
        raise RefusalError(400)
    packages = _packages(request.app[STATE], account)
    start, end = int(cursor), int(cursor) + int(limit)
    return {"quotas": packages[start:end], "next_cursor": str(end) if end < len(packages) else ""}


def _packages(state: State, account: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC).replace(microsecond=0)
    bought = state.options.qiniu_paid_trainings
    return [
        _package(1, total=5, used=2, bought_at=now - timedelta(days=60), days=30),
        _package(2, total=bought, used=used(state, account), bought_at=now - timedelta(days=1), days=365),
    ]


def _package(number: int, *, total: int, used: int, bought_at: datetime, days: int) -> dict[str, Any]:
    return {
        "id": f"quota-{number}",
        "user_id": 1,
        "resource_type": "linxi:api:voice_clone",
        "resource_package": {"type": "pro", "period_unit": "day", "period_value": days},
        "status": _ACTIVE,
        "usage_count": used,
        "total_count": total,
        "expired_time": (bought_at + timedelta(days=days)).isoformat(),
        "created_at": bought_at.isoformat(),
    }
