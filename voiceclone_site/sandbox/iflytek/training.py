"""The training service: six calls under /voice_train, each POST, each answered with HTTP 200 whatever happens."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ..faults import Fault
from ..fetching import FetchError, fetch
from ..iflytek_options import IflytekAccount
from ..state import STATE, State
from . import exchange, forms, signatures, tasks, texts, tokens
from .examining import EXTENSIONS, MOST_BYTES, Upload, as_file
from .forms import Form, NoFormError
from .refusals import TrainingRefusal
from .tasks import Order, Task

_RESOURCE_TYPE = 12
_LANGUAGES = ("", "cn", "en", "jp", "ko", "ru")
_LARGEST_TASK_ID = 2**53 - 1


@dataclasses.dataclass(frozen=True)
class Call:
    """One call whose envelope is in order."""

    app: web.Application
    account: IflytekAccount
    fields: dict[str, Any]
    form: Form | None
    mismatch: bool

    @property
    def state(self) -> State:
        return self.app[STATE]


async def handle(request: web.Request) -> web.StreamResponse:
    operation, work = CALLS[request.match_info["call"]]
    raw = await request.read()
    is_form = operation == "ifly:submitWithAudio"
    form = _form(raw, request) if is_form else None

    async def answer(fault: Fault | None) -> dict[str, Any]:
        try:
            return {"code": 0, "desc": "成功", "data": await _do(request, raw, form, work, fault), "flag": True}
        except TrainingRefusal as refusal:
            return _refused(refusal.code, refusal.desc)

    return await exchange.run(
        request,
        operation=operation,
        account=_named(request),
        shown=_shown(form) if form else exchange.parsed(raw) or raw.decode(errors="replace"),
        answer=answer,
        error=lambda code, message: _refused(int(code) if code.isdigit() else 99999, message),
    )


async def _do(
    request: web.Request,
    raw: bytes,
    form: Form | None,
    work: Callable[[Call], Awaitable[object]],
    fault: Fault | None,
) -> object:
    """The vendor's order of checks: headers, token, application, the account's rights, body, fields, ids."""
    state, headers = request.app[STATE], request.headers
    for name in ("X-AppId", "X-Token"):
        if not headers.get(name):
            raise TrainingRefusal(10001, f"请求头缺少{name}")
    owner = tokens.spend(state, headers["X-Token"])
    account = next((account for account in state.options.iflytek.accounts if account.app_id == owner), None)
    if account is None or headers["X-AppId"] != owner:
        raise TrainingRefusal(10016, "appId不合法")
    if fault and fault.how == "error" and fault.at != "after":
        raise TrainingRefusal(int(fault.code) if fault.code.isdigit() else 99999, fault.message)
    _check_signature(request, raw, account=account, is_json=form is None)
    fields: Any = form.fields if form else exchange.parsed(raw)
    if not isinstance(fields, dict):
        raise TrainingRefusal(90001, "请求结构不合法")
    given = {name: value for name, value in fields.items() if value is not None}
    mismatch = fault is not None and fault.how == "mismatch"
    return await work(Call(app=request.app, account=account, fields=given, form=form, mismatch=mismatch))


def _check_signature(request: web.Request, raw: bytes, *, account: IflytekAccount, is_json: bool) -> None:
    time, sign = request.headers.get("X-Time", ""), request.headers.get("X-Sign", "")
    wanted = "multipart/form-data" if request.path.endswith("submitWithAudio") else "application/json"
    if request.content_type != wanted:
        raise TrainingRefusal(90001, f"Content-Type必须为{wanted}")
    options = request.app[STATE].options.iflytek
    if not time.isdigit() or not signatures.training_matches(
        sign, raw=raw, is_json=is_json, time=time, account=account, options=options
    ):
        raise TrainingRefusal(90001, "签名校验失败")


def _form(raw: bytes, request: web.Request) -> Form | None:
    try:
        return forms.parse(raw, content_type=request.headers.get("Content-Type", ""))
    except NoFormError:
        return None


def _named(request: web.Request) -> str:
    accounts = request.app[STATE].options.iflytek.accounts
    return next((account.name for account in accounts if account.app_id == request.headers.get("X-AppId")), "")


def _refused(code: int, desc: str) -> dict[str, Any]:
    return {"code": code, "desc": desc, "data": None, "flag": False}


def _shown(form: Form) -> dict[str, Any]:
    size = len(form.file) if form.file is not None else None
    return {**form.fields, "file": {"name": form.file_name, "type": form.file_type, "bytes": size}}


async def _train_text(call: Call) -> object:
    text_id = _integer(call, "textId")
    if text_id not in texts.SETS:
        raise TrainingRefusal(20001, "textId不合法")
    name, sentences = texts.SETS[text_id]
    segments = [{"segId": str(number), "segText": text} for number, text in enumerate(sentences, start=1)]
    return {"textId": text_id, "textName": name, "textSegs": segments}


async def _add_task(call: Call) -> object:
    if _integer(call, "resourceType") != _RESOURCE_TYPE:
        raise TrainingRefusal(10017, "训练类型未授权")
    engine, language = _string(call, "engineVersion"), _string(call, "language")
    if engine not in ("", "omni_v1"):
        raise TrainingRefusal(10017, "训练类型未授权")
    if language not in _LANGUAGES:
        raise TrainingRefusal(90002, "参数错误: language")
    order = Order(
        task_name=_string(call, "taskName"),
        resource_name=_string(call, "resourceName"),
        sex=_choice(call, "sex", default=1, highest=2),
        age_group=_choice(call, "ageGroup", default=1, highest=4),
        language=language or "cn",
        engine_version=engine,
        denoise=_choice(call, "denoiseSwitch" if "denoiseSwitch" in call.fields else "denoise", lowest=0, highest=1),
        mos_ratio=_mos_ratio(call),
        third_user=_string(call, "thirdUser"),
        callback_url=_string(call, "callbackUrl"),
    )
    _check_trainings(call)
    return tasks.create(call.state, account=call.account, order=order).task_id


async def _add_audio(call: Call) -> object:
    task = _task(call)
    url = _required(call, "audioUrl")
    order = dataclasses.replace(_with_text(call, task), audio_url=url)
    if not url.startswith(("http://", "https://")) or not url.lower().endswith(EXTENSIONS):
        raise TrainingRefusal(90002, "参数错误: audioUrl必须以http://或https://开头，以mp3、wav、m4a、pcm结尾")
    _check_is_draft(task)
    state, name = call.state, url.rpartition("/")[2]
    if not state.options.iflytek.fetch_audio:
        sha256 = hashlib.sha256(url.encode()).hexdigest()
        tasks.imagine(state, sha256=sha256, seed=url)
        tasks.add_audio(state, task, order=order, sha256=sha256)
        return None
    try:
        fetched = await fetch(url, most_bytes=MOST_BYTES, seconds=state.options.fetch_seconds)
    except FetchError as error:
        raise TrainingRefusal(90002, f"参数错误: audioUrl无法下载（{error}）") from error
    _keep(call, task, dataclasses.replace(order, file_name=name), Upload(fetched.audio, name))
    return None


async def _submit(call: Call) -> object:
    task = _task(call)
    if task.submitted:
        if call.state.options.iflytek.resubmit == "refuse":
            raise TrainingRefusal(90001, "任务已提交，请勿重复提交")
        return None
    if not task.sha256:
        raise TrainingRefusal(90002, "参数错误: 任务未添加音频")
    _check_trainings(call)
    await tasks.submit(call.app, task, mismatch=call.mismatch)
    return None


async def _submit_with_audio(call: Call) -> object:
    form = call.form
    if form is None or not form.file:
        raise TrainingRefusal(90002, "参数错误: file must not be null")
    task = _task(call)
    order = dataclasses.replace(_with_text(call, task), file_name=form.file_name)
    if "mosRatio" in call.fields:
        order = dataclasses.replace(order, mos_ratio=_mos_ratio(call))
    _check_is_draft(task)
    _check_trainings(call)
    kept = _keep(call, task, order, Upload(form.file, form.file_name))
    await tasks.submit(call.app, kept, mismatch=call.mismatch)
    return None


async def _result(call: Call) -> object:
    task = _task(call)
    return {
        "taskName": task.order.task_name,
        "resourceName": task.order.resource_name,
        "sex": task.order.sex,
        "ageGroup": task.order.age_group,
        "trainVid": task.library_id if task.submitted else "",
        "assetId": task.res_id,
        "trainId": task.task_id,
        "appId": task.app_id,
        "trainStatus": task.status,
        "failedDesc": task.failed_desc if task.status == tasks.FAILED else "",
    }


CALLS: dict[str, tuple[str, Callable[[Call], Awaitable[object]]]] = {
    "task/traintext": ("ifly:traintext", _train_text),
    "task/add": ("ifly:task/add", _add_task),
    "audio/v1/add": ("ifly:audio/add", _add_audio),
    "task/submit": ("ifly:submit", _submit),
    "task/submitWithAudio": ("ifly:submitWithAudio", _submit_with_audio),
    "task/result": ("ifly:result", _result),
}


def _task(call: Call) -> Task:
    """The task that a call is about. Raises TrainingRefusal when there is none, or another application's."""
    given = call.fields.get("taskId")
    if given in (None, ""):
        raise TrainingRefusal(90002, "taskId must not be blank")
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise TrainingRefusal(90002, "参数错误: taskId")
    if isinstance(given, int) and not 1 <= given <= _LARGEST_TASK_ID:
        raise TrainingRefusal(90002, "参数错误: taskId")
    task = tasks.find(call.state, str(given))
    if task is None:
        raise TrainingRefusal(60000, "任务不存在")
    if task.app_id != call.account.app_id:
        raise TrainingRefusal(10015, "任务不属于该应用")
    return task


def _with_text(call: Call, task: Task) -> Order:
    text_id, segment_id = _integer(call, "textId"), _integer(call, "textSegId")
    if text_id not in texts.SETS:
        raise TrainingRefusal(20001, "textId不合法")
    if texts.segment(text_id, segment_id) is None:
        raise TrainingRefusal(20002, "textSegId不合法")
    return dataclasses.replace(task.order, text_id=text_id, segment_id=segment_id)


def _check_is_draft(task: Task) -> None:
    if task.submitted:
        raise TrainingRefusal(90001, "任务已提交，不能再添加音频")


def _check_trainings(call: Call) -> None:
    options, account = call.state.options.iflytek, call.account.name
    if options.trainings and tasks.count(call.state, account=account, status=tasks.SUCCEEDED) >= options.trainings:
        raise TrainingRefusal(10021, "训练次数已用完")
    running = tasks.count(call.state, account=account, status=tasks.TRAINING)
    if options.parallel_trainings and running >= options.parallel_trainings:
        raise TrainingRefusal(10018, "未分配训练路数")


def _keep(call: Call, task: Task, order: Order, upload: Upload) -> Task:
    """Headerless audio gets a header, so that the trainer can read it again."""
    sha256 = call.state.studio.keep(as_file(upload))
    if upload.extension == "pcm":
        order = dataclasses.replace(order, file_name=f"{upload.name}.wav")
    return tasks.add_audio(call.state, task, order=order, sha256=sha256)


def _required(call: Call, name: str) -> str:
    if not _string(call, name):
        raise TrainingRefusal(90002, f"{name} must not be blank")
    return _string(call, name)


def _string(call: Call, name: str) -> str:
    value = call.fields.get(name, "")
    if not isinstance(value, str):
        raise TrainingRefusal(90002, f"参数错误: {name}")
    return value


def _integer(call: Call, name: str) -> int:
    """A required whole number. A form has only strings, and some clients send strings in JSON as well."""
    value = call.fields.get(name)
    if value in (None, ""):
        raise TrainingRefusal(90002, f"{name} must not be blank")
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TrainingRefusal(90002, f"参数错误: {name}")
    return value


def _choice(call: Call, name: str, *, highest: int, lowest: int = 1, default: int = 0) -> int:
    value = call.fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise TrainingRefusal(90002, f"参数错误: {name}")
    return value


def _mos_ratio(call: Call) -> float:
    value = call.fields.get("mosRatio", 0.0)
    try:
        ratio = float(value)
    except (TypeError, ValueError):
        ratio = math.nan
    if isinstance(value, bool) or not 0.0 <= ratio <= 5.0:
        raise TrainingRefusal(90002, "参数错误: mosRatio")
    return ratio
