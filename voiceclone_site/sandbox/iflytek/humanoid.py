"""The super-humanoid service (超拟人) with its stock voices: /v1/private/mcd9m97e6."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ..iflytek_options import IflytekAccount
from ..options import Options
from ..state import State
from . import orders, refusals, stock, styles
from .orders import Order
from .schema import Boolean, Integer, Node, Object, String, defaulted
from .session import Service, serve

PATH = "/v1/private/mcd9m97e6"
_PERCENT = Integer(0, 100)
_CODECS = ("raw", "lame", "speex", "speex-wb", "opus", "opus-wb", "opus-swb")
# What the colloquial model adds, by oral_level. Only voices of the first generation listen to `oral`.
_FILLERS = {"high": "嗯，那个，", "mid": "嗯，", "low": ""}


async def handle(request: web.Request) -> web.StreamResponse:
    return await serve(request, _SERVICE)


def _schema(options: Options) -> Object:
    tts: dict[str, Node] = {
        "vcn": String(one_of=(*stock.VCNS, *options.iflytek.extra_vcns), required=True),
        "watermask": Integer(0, 2),
        "implicit_watermark": Boolean(),
        "speed": _PERCENT,
        "volume": _PERCENT,
        "pitch": _PERCENT,
        "bgs": Integer(0, 1),
        "reg": Integer(0, 2),
        "rdn": Integer(0, 3),
        "rhy": Integer(0, 1),
        "role": String(),
        "audio": Object(
            required=True,
            fields={
                "encoding": String(one_of=_CODECS),
                "sample_rate": Integer(one_of=(8000, 16000, 24000)),
                "channels": Integer(1, 2),
                "bit_depth": Integer(one_of=(16, 8)),
                "frame_size": Integer(0, 1024),
            },
        ),
    }
    oral: dict[str, Node] = {
        "oral_level": String(one_of=("high", "mid", "low")),
        "spark_assist": Integer(0, 1),
        "stop_split": Integer(0, 1),
        "remain": Integer(0, 1),
    }
    header: dict[str, Node] = {
        "app_id": String(longest=50, required=True),
        "status": Integer(one_of=(0, 1, 2), required=True),
    }
    text = orders.text_schema(formats=("plain", "json"), encodings=("utf8",), compressions=("raw",))
    return Object(
        fields={
            "header": Object(required=True, closed=False, fields=header),
            "parameter": Object(required=True, fields={"oral": Object(oral), "tts": Object(tts, required=True)}),
            "payload": Object(required=True, fields={"text": text}),
        }
    )


def _order(state: State, account: IflytekAccount, message: dict[str, Any]) -> Order:
    parameter: dict[str, Any] = message["parameter"]
    tts, oral = parameter["tts"], parameter.get("oral") or {}
    audio, vcn = tts["audio"], tts["vcn"]
    if vcn in state.options.iflytek.unlicensed_vcns:
        raise refusals.unlicensed()
    if defaulted(audio, "channels", 1) != 1 or defaulted(audio, "bit_depth", 16) != 16:
        raise refusals.engine(10043, "Syscall AudioCodingDecode error")
    codec = defaulted(audio, "encoding", "speex-wb")
    listens = vcn.startswith("x4_")
    colloquial = listens and defaulted(oral, "spark_assist", 1) == 1 and defaulted(oral, "remain", 0) == 0
    return Order(
        voice=stock.voice(vcn),
        voice_id=vcn,
        manner=styles.manner(
            speed=int(defaulted(tts, "speed", 50)),
            pitch=int(defaulted(tts, "pitch", 50)),
            volume=int(defaulted(tts, "volume", 50)),
            language="en" if vcn in stock.ENGLISH else "zh",
        ),
        codec=codec,
        rate=int(defaulted(audio, "sample_rate", 24000)),
        phonemes=int(defaulted(tts, "rhy", 0)),
        letters=defaulted(tts, "reg", 0) == 1,
        digits=int(defaulted(tts, "rdn", 0)),
        background=int(defaulted(tts, "bgs", 0)),
        filler=_FILLERS[defaulted(oral, "oral_level", "mid")] if colloquial else "",
        split=not (listens and defaulted(oral, "stop_split", 0) == 1),
        mark=0 if vcn in stock.WITHOUT_MARK else int(defaulted(tts, "watermask", 0)),
        hidden_mark=defaulted(tts, "implicit_watermark", False) is True,
    )


_SERVICE = Service(operation="ifly:tts", tag="aso", schema=_schema, order=_order)
