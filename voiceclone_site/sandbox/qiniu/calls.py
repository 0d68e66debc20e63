"""The five calls of the voice-clone page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from yarl import URL

from ..faults import Fault
from ..state import STATE, State
from . import clones, demos, quotas, samples
from .answering import answered
from .clones import Clone
from .envelopes import RefusalError

_MODEL_ID = "QN_ACV"
_LONGEST_NAME = 20
_FREE_LANGUAGES = frozenset({"zh", "en"})
_LANGUAGES = _FREE_LANGUAGES | {"ja", "ko", "es", "pt", "id", "de", "fr", "ar", "hi", "it", "tr", "yue"}


async def create(request: web.Request) -> web.StreamResponse:
    return await answered(request, "create_clone", _create)


async def list_all(request: web.Request) -> web.StreamResponse:
    return await answered(request, "list_clones", _list)


async def get(request: web.Request) -> web.StreamResponse:
    return await answered(request, "get_clone", _get)


async def put(request: web.Request) -> web.StreamResponse:
    """One call at the provider, two in the ledger: what trains costs, what renames does not."""
    trains = await _carries_key(request)
    return await answered(request, "train_clone" if trains else "rename_clone", _train if trains else _rename)


async def delete(request: web.Request) -> web.StreamResponse:
    return await answered(request, "delete_clone", _delete)


async def _create(request: web.Request, account: str, body: Any, fault: Fault | None) -> object:
    state, wanted = request.app[STATE], _object(request, body)
    if state.options.qiniu_dialect == "legacy":
        if wanted.get("model_id") != _MODEL_ID:
            raise RefusalError(400)
        language, tier = "", clones.FREE
    else:
        tier = wanted.get("tier", clones.FREE)
        language = wanted.get("language", "zh")
        if tier not in (clones.FREE, clones.PRO):
            raise RefusalError(400)
        if language not in (_FREE_LANGUAGES if tier == clones.FREE else _LANGUAGES):
            raise RefusalError(400)
    clone = clones.create(state, account=account, language=language, tier=tier)
    _note(state, "created", clone)
    return _shown(request, clone)


async def _list(request: web.Request, account: str, body: Any, fault: Fault | None) -> object:
    found = clones.everyone(request.app[STATE], account=account)
    return {"voices": [_shown(request, clone) for clone in found]}


async def _get(request: web.Request, account: str, body: Any, fault: Fault | None) -> object:
    return _shown(request, _clone(request, account))


async def _rename(request: web.Request, account: str, body: Any, fault: Fault | None) -> object:
    wanted, clone = _object(request, body), _clone(request, account)
    name = _name(wanted)
    if wanted.get("key", "") != "":
        raise RefusalError(400)
    return _shown(request, clones.rename(request.app[STATE], clone, name))


async def _train(request: web.Request, account: str, body: Any, fault: Fault | None) -> object:
    state, wanted = request.app[STATE], _object(request, body)
    clone = _clone(request, account)
    name, url = _name(wanted), _url(wanted)
    if clone.state == clones.TRAINING:
        raise RefusalError(400, "音色正在训练中")
    sha256, verdict = "", clones.SUCCESS
    try:
        sha256 = await samples.take(state, account=account, url=url)
    except samples.UnusableError as error:
        if not error.fetched and state.options.qiniu_unfetched == "refused":
            raise RefusalError(400, "音频文件下载失败") from error
        verdict = clones.FAILED
    if fault and fault.how == "undeployed":
        verdict = clones.FAILED
    if clone.tier == clones.PRO:
        quotas.use_one(state, account)
    clone = await clones.train(state, clone, name=name, sha256=sha256, verdict=verdict)
    _note(state, "trained", clone)
    return _shown(request, clone)


async def _delete(request: web.Request, account: str, body: Any, fault: Fault | None) -> object:
    state, clone = request.app[STATE], _clone(request, account)
    if clone.tier == clones.PRO:
        raise RefusalError(403)
    clones.delete(state, clone)
    _note(state, "deleted", clone)
    return {}


async def _carries_key(request: web.Request) -> bool:
    try:
        body = json.loads(await request.text())
    except ValueError:
        return False
    return isinstance(body, dict) and bool(body.get("key"))


def _clone(request: web.Request, account: str) -> Clone:
    return clones.find(request.app[STATE], account=account, clone_id=request.match_info["id"])


def _shown(request: web.Request, clone: Clone) -> dict[str, Any]:
    shown = {
        "id": clone.id,
        "name": clone.name,
        "language": clone.language,
        "demo_url": demos.url(request, clone),
        "state": clone.state,
    }
    is_current = request.app[STATE].options.qiniu_dialect == "current"
    return {**shown, "tier": clone.tier} if is_current else shown


def _note(state: State, operation: str, clone: Clone) -> None:
    state.ledger.write(
        provider=samples.PROVIDER, account=clone.account, operation=operation, direction="out", voice_id=clone.id
    )


def _object(request: web.Request, body: Any) -> Mapping[str, Any]:
    if request.content_type != "application/json" or not isinstance(body, dict):
        raise RefusalError(400)
    return body


def _name(wanted: Mapping[str, Any]) -> str:
    """1 to 20 characters, a Han character counting as one."""
    name = wanted.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
        raise RefusalError(400)
    return name


def _url(wanted: Mapping[str, Any]) -> str:
    key = wanted["key"]
    try:
        target = URL(key) if isinstance(key, str) else None
    except ValueError:
        target = None
    if target is None or target.scheme not in ("http", "https") or not target.host:
        raise RefusalError(400)
    return str(key)
