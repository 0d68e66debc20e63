"""Enrollment: one URL, the verb in `input.action`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .. import wire
from ..faults import Fault
from ..fetching import FetchError, Trouble, fetch
from ..state import STATE, State
from . import judging, refusals, voices
from .accounts import authenticate
from .models import MODELS
from .refusals import RefusalError

PROVIDER = "aliyun"
_MODEL = "voice-enrollment"
# The strictest form in any version of the documentation.
_PREFIX = re.compile(r"[a-z0-9]{1,9}")
_LARGEST_PAGE = 1000
_HTML = "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"
_REFUSAL_OF_TROUBLE: Mapping[Trouble, str] = {
    "invalid": "InvalidURL",
    "not_loopback": "InvalidURL",
    "refused": "InvalidURL.ConnectionRefused",
    "timeout": "InvalidURL.Timeout",
    "too_large": "Audio.FileSizeExceed",
}


async def handle(request: web.Request) -> web.StreamResponse:
    """POST …/services/audio/tts/customization."""
    state = request.app[STATE]
    text = await request.text()
    body = _parsed(text)
    action = _action_of(body)
    account, answer, fault = "", None, None
    try:
        account = authenticate(request.headers, keys=state.options.aliyun_keys)
        fault = state.faults.strike(operation=action, account=account)
        _write(state, request, account, action, body if body is not None else text, fault)
        answer = await _faulty(request, state, account=account, action=action, body=body, fault=fault)
    except RefusalError as refusal:
        if not account:
            _write(state, request, account, action, body if body is not None else text, fault)
        answer = _refused(refusal, status=refusal.status(state.options))
    shown = answer.text if isinstance(answer, web.Response) else None
    state.ledger.write(
        provider=PROVIDER,
        account=account,
        operation=action,
        direction="out",
        status=0 if fault and fault.how in ("drop", "reset") else answer.status,
        body=_parsed(shown or "") or shown,
        fault=fault.how if fault else "",
    )
    return answer


def _write(state: State, request: web.Request, account: str, action: str, body: object, fault: Fault | None) -> None:
    state.ledger.write(
        provider=PROVIDER,
        account=account,
        operation=action,
        headers=request.headers,
        body=_without_audio(body),
        fault=fault.how if fault else "",
    )


def _without_audio(body: object) -> object:
    """A data URI is a whole recording: the ledger keeps its head."""
    asked = body.get("input") if isinstance(body, dict) else None
    url = asked.get("url") if isinstance(asked, dict) else None
    if not isinstance(body, dict) or not isinstance(url, str) or not url.startswith("data:"):
        return body
    return {**body, "input": {**body["input"], "url": url[:40] + "…"}}


async def _faulty(
    request: web.Request, state: State, *, account: str, action: str, body: Any, fault: Fault | None
) -> web.StreamResponse:
    """Do what was asked, unless a fault stands before the effect; then what the fault makes of the answer."""
    if fault and fault.how == "delay" and fault.at == "before":
        await asyncio.sleep(fault.seconds)
    if fault and fault.at == "before" and (broken := _broken(request, fault)) is not None:
        return broken
    verdict = voices.UNDEPLOYED if fault and fault.how == "undeployed" else voices.OK
    output = await _do(state, request, account=account, action=action, body=body, verdict=verdict)
    if fault and fault.how == "delay" and fault.at == "after":
        await asyncio.sleep(fault.seconds)
    if fault and fault.at == "after" and (broken := _broken(request, fault)) is not None:
        return broken
    answer = web.json_response({"output": output, "usage": {"count": 1}, "request_id": str(uuid.uuid4())})
    if fault and fault.how == "half_json":
        whole = answer.text or ""
        return web.Response(text=whole[: len(whole) // 2], content_type="application/json")
    return answer


def _broken(request: web.Request, fault: Fault) -> web.StreamResponse | None:
    if fault.how == "error":
        return _refused(RefusalError(fault.code, fault.message), status=fault.status)
    if fault.how == "html":
        return web.Response(text=_HTML.format(status=fault.status), status=fault.status, content_type="text/html")
    if fault.how == "drop":
        wire.drop(request)
        return web.Response(status=500)
    if fault.how == "reset":
        wire.reset(request)
        return web.Response(status=500)
    return None


def _refused(refusal: RefusalError, *, status: int) -> web.Response:
    answer = {"code": refusal.code, "message": refusal.message, "request_id": str(uuid.uuid4())}
    return web.json_response(answer, status=status)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _action_of(body: Any) -> str:
    asked = body.get("input") if isinstance(body, dict) else None
    action = asked.get("action") if isinstance(asked, dict) else None
    return action if isinstance(action, str) and action in _ACTIONS else "enrollment"


async def _do(
    state: State, request: web.Request, *, account: str, action: str, body: Any, verdict: str
) -> dict[str, Any]:
    if not state.gate.admits(account=account, kind="enrollment", rate=state.options.enrollment_rate):
        raise refusals.too_many()
    if request.content_type != "application/json" or not isinstance(body, dict):
        raise RefusalError("BadRequest.IllegalInput", "The input is not a JSON object sent as application/json.")
    if not body.get("model"):
        raise RefusalError("BadRequest.EmptyModel", "Required parameter(s) missing or invalid: model.")
    if body["model"] != _MODEL:
        raise RefusalError("ModelNotFound", f"Model not exist: {body['model']}.")
    asked = body.get("input")
    if not isinstance(asked, dict) or not asked:
        raise RefusalError("BadRequest.EmptyInput", "Required input parameter missing from request.")
    if action not in _ACTIONS:
        raise refusals.invalid(f"action {asked.get('action')!r} is not supported.")
    return await _ACTIONS[action](state, request, account, asked, verdict)


async def _create(
    state: State, request: web.Request, account: str, asked: dict[str, Any], verdict: str
) -> dict[str, Any]:
    model, prefix = _text(asked, "target_model"), _text(asked, "prefix")
    if model not in MODELS:
        raise refusals.invalid(f"target_model {model} is not supported.")
    if not _PREFIX.fullmatch(prefix):
        raise refusals.invalid("prefix must be 1 to 9 digits or lower-case letters.")
    _check_create_options(asked)
    sha256 = await _sample(state, account=account, url=_text(asked, "url"))
    voice = await voices.create(state, account=account, model=model, prefix=prefix, sha256=sha256, verdict=verdict)
    state.ledger.write(
        provider=PROVIDER, account=account, operation="created", direction="out", voice_id=voice.voice_id
    )
    return {"voice_id": voice.voice_id}


async def _list(
    state: State, request: web.Request, account: str, asked: dict[str, Any], verdict: str
) -> dict[str, Any]:
    index, size = asked.get("page_index", 0), asked.get("page_size", 10)
    if not isinstance(index, int) or index < 0 or not isinstance(size, int) or not 1 <= size <= _LARGEST_PAGE:
        raise refusals.invalid("page_index counts from 0, page_size is 1 to 1000.")
    found = voices.page(state, account=account, prefix=asked.get("prefix") or "", index=index, size=size)
    return {"voice_list": [{"voice_id": voice.voice_id, **_shown(voice)} for voice in found]}


async def _query(
    state: State, request: web.Request, account: str, asked: dict[str, Any], verdict: str
) -> dict[str, Any]:
    voice = voices.find(state, account=account, voice_id=_text(asked, "voice_id"))
    link = f"http://{request.host}/_sandbox/samples/{voice.sha256}"
    return {**_shown(voice), "resource_link": link, "target_model": voice.model}


async def _update(
    state: State, request: web.Request, account: str, asked: dict[str, Any], verdict: str
) -> dict[str, Any]:
    voice = voices.find(state, account=account, voice_id=_text(asked, "voice_id"))
    sha256 = await _sample(state, account=account, url=_text(asked, "url"))
    await voices.retrain(state, voice=voice, sha256=sha256, verdict=verdict)
    return {}


async def _delete(
    state: State, request: web.Request, account: str, asked: dict[str, Any], verdict: str
) -> dict[str, Any]:
    voice = voices.find(state, account=account, voice_id=_text(asked, "voice_id"))
    voices.delete(state, voice)
    state.ledger.write(
        provider=PROVIDER, account=account, operation="deleted", direction="out", voice_id=voice.voice_id
    )
    return {}


_ACTIONS = {
    "create_voice": _create,
    "list_voice": _list,
    "query_voice": _query,
    "update_voice": _update,
    "delete_voice": _delete,
}


def _shown(voice: voices.Voice) -> dict[str, Any]:
    return {
        "gmt_create": voices.china_time(voice.created),
        "gmt_modified": voices.china_time(voice.modified),
        "status": voice.status,
    }


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise refusals.invalid(f"Required parameter(s) missing or invalid: {name}.")
    return value


def _check_create_options(asked: dict[str, Any]) -> None:
    hints = asked.get("language_hints", [])
    if not isinstance(hints, list) or not all(isinstance(hint, str) for hint in hints):
        raise refusals.invalid("language_hints must be a list of languages.")
    kept = asked.get("max_prompt_audio_length", 10.0)
    if isinstance(kept, bool) or not isinstance(kept, int | float) or not 3.0 <= kept <= 30.0:
        raise refusals.invalid("max_prompt_audio_length must be 3.0 to 30.0.")
    if not isinstance(asked.get("enable_preprocess", False), bool):
        raise refusals.invalid("enable_preprocess must be true or false.")


async def _sample(state: State, *, account: str, url: str) -> str:
    """Fetch, judge and keep the sample; its SHA-256."""
    if url.startswith("data:") and state.options.accept_data_uri:
        audio = _from_data_uri(url)
    else:
        audio = await _download(state, account=account, url=url)
    legacy = state.options.profile == "legacy"
    await state.studio.work(lambda: judging.judge(audio, legacy=legacy))
    return state.studio.keep(audio)


async def _download(state: State, *, account: str, url: str) -> bytes:
    try:
        fetched = await fetch(url, most_bytes=judging.MOST_BYTES, seconds=state.options.fetch_seconds)
    except FetchError as error:
        state.ledger.write(
            provider=PROVIDER,
            account=account,
            operation="fetch",
            direction="out",
            body={"url": url, "trouble": str(error)},
        )
        code = _REFUSAL_OF_TROUBLE.get(error.trouble, "BadRequest.InputDownloadFailed")
        message = "File too large" if error.trouble == "too_large" else f"Failed to download the input file: {error}"
        raise RefusalError(code, message) from error
    state.ledger.write(
        provider=PROVIDER,
        account=account,
        operation="fetch",
        direction="out",
        status=200,
        body={
            "url": url,
            "content_type": fetched.content_type,
            "content_length": fetched.declared_length,
            "bytes": len(fetched.audio),
        },
    )
    return fetched.audio


def _from_data_uri(uri: str) -> bytes:
    head, _, data = uri.partition(",")
    if not head.endswith(";base64"):
        raise RefusalError("InvalidURL", "The data URI is not Base64.")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise RefusalError("InvalidURL", "The data URI is not Base64.") from error
