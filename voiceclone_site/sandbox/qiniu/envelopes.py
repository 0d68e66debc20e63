"""What every answer is wrapped in, and where its code stands: in the body alone, or in the HTTP status as well."""

from __future__ import annotations

import itertools
from typing import Any

from aiohttp import web

from ..options import Options

_MESSAGES = {
    400: "请求参数错误",
    401: "未授权访问",
    403: "付费音色不支持删除",
    404: "音色不存在",
    429: "请求过于频繁",
    500: "服务器内部错误",
}
_SECONDS_TO_WAIT = "2"
_numbers = itertools.count(1)


class RefusalError(Exception):
    """One refusal; `code` is what the body says."""

    def __init__(self, code: int, message: str = "") -> None:
        self.code = code
        self.message = message or _MESSAGES.get(code, "")
        super().__init__(f"{code}: {self.message}")


def success(data: object, options: Options, *, code: int | str = 0, numbered: bool = True) -> dict[str, Any]:
    """The newer pages leave `msg` out where there is nothing to say; the quota page shows no `reqid`."""
    msg = {"msg": ""} if options.qiniu_dialect == "legacy" else {}
    request_id = {"reqid": _request_id()} if numbered else {}
    return {"code": code, **msg, **request_id, "data": data}


def refused(refusal: RefusalError, options: Options) -> web.Response:
    body = {"code": refusal.code, "msg": refusal.message, "reqid": _request_id(), "data": {}}
    headers = {"Retry-After": _SECONDS_TO_WAIT} if refusal.code == 429 else {}
    mirrored = options.qiniu_transport == "mirror" and 400 <= refusal.code < 600
    return web.json_response(body, status=refusal.code if mirrored else 200, headers=headers)


def _request_id() -> str:
    return f"req-{next(_numbers):08d}"
