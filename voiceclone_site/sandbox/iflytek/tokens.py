"""POST /aiauth/v1/token, and the tokens that it has given out."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

from aiohttp import web

from ..faults import Fault
from ..iflytek_options import IflytekAccount
from ..ledger import REDACTED
from ..state import STATE, State
from . import exchange, signatures
from .refusals import TokenRefusal, TrainingRefusal

OPERATION = "ifly:token"
_MILLISECONDS = re.compile(r"\d{13}")


async def handle(request: web.Request) -> web.StreamResponse:
    state = request.app[STATE]
    raw = await request.read()
    body = exchange.parsed(raw)
    named = body.get("base", {}) if isinstance(body, dict) else {}
    account = _account(state, named.get("appid") if isinstance(named, dict) else None)

    async def answer(fault: Fault | None) -> dict[str, Any]:
        try:
            checked = _checked(state, request, raw=raw, body=body)
            if fault and fault.how == "error" and fault.at != "after":
                raise TokenRefusal(fault.code, fault.message)
        except TokenRefusal as refusal:
            return {"retcode": refusal.retcode, "desc": refusal.desc}
        return {"retcode": "000000", **_issue(state, checked)}

    return await exchange.run(
        request,
        operation=OPERATION,
        account=account.name if account else "",
        shown=body if body is not None else raw.decode(errors="replace"),
        answer=answer,
        error=lambda code, message: {"retcode": code, "desc": message},
        hide=_without_token,
    )


def _without_token(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "accesstoken": REDACTED} if "accesstoken" in answer else answer


def _account(state: State, app_id: object) -> IflytekAccount | None:
    return next((account for account in state.options.iflytek.accounts if account.app_id == app_id), None)


def _checked(state: State, request: web.Request, *, raw: bytes, body: Any) -> IflytekAccount:
    if not isinstance(body, dict):
        raise TokenRefusal("000006", "请求体不是合法的JSON")
    base = body.get("base")
    if not isinstance(base, dict):
        raise TokenRefusal("000004", "缺少参数: base")
    for name, value in (*((f"base.{key}", base.get(key)) for key in _BASE), ("model", body.get("model"))):
        if value is None or value == "":
            raise TokenRefusal("000004", f"缺少参数: {name}")
        if not isinstance(value, str):
            raise TokenRefusal("000006", f"参数格式错误: {name}")
    if not _MILLISECONDS.fullmatch(base["timestamp"]):
        raise TokenRefusal("000006", "参数格式错误: base.timestamp")
    if base["version"] != "v1" or body["model"] != "remote":
        raise TokenRefusal("000006", "参数格式错误: version, model")
    account = _account(state, base["appid"])
    given = request.headers.get("Authorization", "")
    if account is None or not signatures.token_matches(
        given, raw=raw, timestamp=base["timestamp"], account=account, options=state.options.iflytek
    ):
        raise TokenRefusal("000007", "签名校验失败")
    return account


_BASE = ("appid", "version", "timestamp")


def _issue(state: State, account: IflytekAccount) -> dict[str, str]:
    token, seconds = secrets.token_hex(24), state.options.iflytek.token_seconds
    state.connection.execute(
        "INSERT INTO iflytek_tokens VALUES (?, ?, ?, 0)", (token, account.app_id, time.time() + seconds)
    )
    return {"accesstoken": token, "expiresin": str(seconds)}


def spend(state: State, token: str) -> str:
    """The app id that a token was given to; counts one call. Raises TrainingRefusal 10000."""
    row = state.connection.execute("SELECT * FROM iflytek_tokens WHERE token = ?", (token,)).fetchone()
    most = state.options.iflytek.token_calls
    if row is None or row["expires"] <= time.time() or (most and row["calls"] >= most):
        raise TrainingRefusal(10000, "token已失效或无效")
    state.connection.execute("UPDATE iflytek_tokens SET calls = calls + 1 WHERE token = ?", (token,))
    return str(row["app_id"])
