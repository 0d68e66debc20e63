"""Synthesis with a cloned voice: /v1/private/voice_clone."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ..iflytek_options import IflytekAccount
from ..options import Options
from ..state import State
from . import orders, refusals, styles, tasks
from .orders import Order
from .schema import Integer, Object, String, defaulted
from .session import Service, serve
from .tasks import Task

PATH = "/v1/private/voice_clone"
_STANDARD, _OMNI = "x5_clone", "x6_clone"
# LanguageID to the sandbox's languages, and to the names that task/add uses.
_LANGUAGES = ("zh", "en", "ja", "ko", "ru", "fr", "ar", "es", "yue")
_TRAINED = ("cn", "en", "jp", "ko", "ru")
_PERCENT = Integer(0, 100)

_SCHEMA = Object(
    fields={
        "header": Object(
            required=True,
            closed=False,
            fields={
                "app_id": String(longest=50, required=True),
                "res_id": String(longest=1024, required=True),
                "status": Integer(one_of=(0, 1, 2), required=True),
            },
        ),
        "parameter": Object(
            required=True,
            fields={
                "tts": Object(
                    required=True,
                    fields={
                        "vcn": String(one_of=(_STANDARD, _OMNI), required=True),
                        "LanguageID": Integer(0, len(_LANGUAGES) - 1),
                        "languageID": Integer(0, len(_LANGUAGES) - 1),
                        "style": String(one_of=tuple(styles.STYLES)),
                        "impactFactor": Integer(-1, 10),
                        "speed": _PERCENT,
                        "volume": _PERCENT,
                        "pitch": _PERCENT,
                        "bgs": Integer(0, 2),
                        "reg": Integer(0, 2),
                        "rdn": Integer(0, 3),
                        "rhy": Integer(one_of=(0, 1, 3)),
                        "pybuffer": Integer(0, 1),
                        "audio": Object(
                            required=True,
                            fields={
                                "encoding": String(one_of=("lame", "raw", "speex", "speex-wb", "opus", "opus-wb")),
                                "sample_rate": Integer(one_of=(8000, 16000, 24000)),
                                "channels": Integer(1, 1),
                                "bit_depth": Integer(16, 16),
                                "frame_size": Integer(0, 1024),
                            },
                        ),
                        "pybuf": Object(
                            fields={
                                "encoding": String(one_of=("utf8",)),
                                "compress": String(one_of=("raw",)),
                                "format": String(one_of=("plain",)),
                            }
                        ),
                    },
                )
            },
        ),
        "payload": Object(
            required=True,
            fields={
                "text": orders.text_schema(
                    formats=("plain", "json", "xml"),
                    encodings=("utf8", "gb2312", "gbk"),
                    compressions=("raw", "gzip"),
                )
            },
        ),
    }
)


async def handle(request: web.Request) -> web.StreamResponse:
    return await serve(request, _SERVICE)


def _schema(options: Options) -> Object:
    return _SCHEMA


def _order(state: State, account: IflytekAccount, message: dict[str, Any]) -> Order:
    tts: dict[str, Any] = message["parameter"]["tts"]
    audio: dict[str, Any] = tts["audio"]
    res_id = message["header"]["res_id"]
    task = tasks.voice(state, app_id=account.app_id, res_id=res_id)
    found = state.studio.print_of(task.sha256) if task else None
    if task is None or found is None or not _is_of_edition(state, task, vcn=tts["vcn"]):
        raise refusals.unknown_voice()
    number = int(defaulted(tts, "LanguageID", defaulted(tts, "languageID", 0)))
    if tts["vcn"] == _STANDARD and (number >= len(_TRAINED) or _TRAINED[number] != task.order.language):
        raise refusals.engine(10139, "invalid param: LanguageID")
    styled = tts["vcn"] == _OMNI and number == 0
    return Order(
        voice=found,
        voice_id=res_id,
        manner=styles.manner(
            speed=int(defaulted(tts, "speed", 50)),
            pitch=int(defaulted(tts, "pitch", 50)),
            volume=int(defaulted(tts, "volume", 50)),
            language=_LANGUAGES[number],
            style=defaulted(tts, "style", "") if styled else "",
            impact_factor=int(defaulted(tts, "impactFactor", -1)) if styled else -1,
        ),
        codec=defaulted(audio, "encoding", "speex-wb"),
        rate=int(defaulted(audio, "sample_rate", 16000)),
        phonemes=int(defaulted(tts, "rhy", 0)) if defaulted(tts, "pybuffer", 1) else 0,
        letters=defaulted(tts, "reg", 0) == 1,
        digits=int(defaulted(tts, "rdn", 0)),
        background=int(defaulted(tts, "bgs", 0)),
    )


def _is_of_edition(state: State, task: Task, *, vcn: str) -> bool:
    """A voice speaks through its own edition only; what the vendor does otherwise is not documented."""
    wanted = _OMNI if task.order.edition == tasks.OMNI else _STANDARD
    return vcn == wanted or not state.options.iflytek.edition_check


_SERVICE = Service(operation="ifly:clone", tag="aso", schema=_schema, order=_order)
