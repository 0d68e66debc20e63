"""iFlytek as a script: the token service and the training service on one loopback port, answering what a test wants answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.providers.loopback import HttpRequest, Loopback, Peer
from voices.providers import registry
from voices.providers.base import Account, OptionValue, VoiceOrder
from voices.providers.iflytek.cloning import IflytekCloning

APP_ID, API_KEY, API_SECRET = "a1b2c3d4", "k" * 32, "s" * 32
RES_ID = "a1b2c3d_ttsclone-a1b2c3d4-qwert"
SAMPLE = b"RIFF\x24\x00\x00\x00WAVEfmt the recording\r\n--\r\n"

OK: Mapping[str, Any] = {"code": 0, "desc": "成功", "data": None, "flag": True}


def token(value: str = "token-1", expires: object = "7200") -> dict[str, Any]:
    return {"retcode": "000000", "accesstoken": value, "expiresin": expires}


def refused(code: object, desc: str = "no") -> dict[str, Any]:
    return {"code": code, "desc": desc, "data": None, "flag": False}


def trained(status: object, **more: object) -> dict[str, Any]:
    data = {"taskName": "小明", "trainId": "1234567", "assetId": RES_ID if status == 1 else "", "trainStatus": status}
    return {**OK, "data": data | {"failedDesc": ""} | more}


@dataclass
class Office:
    """Answers each path with what is queued for it, the last of which is given again and again.

    An answer is a JSON object, or raw bytes, or a pair of HTTP status and either.
    """

    answers: dict[str, list[Any]]
    asked: list[HttpRequest] = field(default_factory=list)

    def __call__(self, peer: Peer) -> None:
        while True:
            request = peer.read_request()
            self.asked.append(request)
            queue = self.answers[path(request)]
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            if answer is None:
                peer.reset()
                return
            status, said = answer if isinstance(answer, tuple) else (200, answer)
            peer.answer(status, said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False))

    def calls(self, of: str) -> list[HttpRequest]:
        return [request for request in self.asked if path(request) == of]

    def bodies(self, of: str) -> list[Any]:
        return [json.loads(request.body) for request in self.calls(of)]


TOKEN, TEXTS, ADD = "/aiauth/v1/token", "/voice_train/task/traintext", "/voice_train/task/add"
UPLOAD, LINK = "/voice_train/task/submitWithAudio", "/voice_train/audio/v1/add"
SUBMIT, RESULT = "/voice_train/task/submit", "/voice_train/task/result"


def office(answers: Mapping[str, Any] | None = None) -> Office:
    """A friendly one; `answers` by path take the place of its own, a list being one after the other."""
    friendly: dict[str, Any] = {
        TOKEN: token(),
        ADD: {**OK, "data": "1234567"},
        UPLOAD: OK,
        LINK: OK,
        SUBMIT: OK,
        RESULT: trained(1),
    }
    said = friendly | dict(answers or {})
    return Office({of: list(each) if isinstance(each, list) else [each] for of, each in said.items()})


def path(request: HttpRequest) -> str:
    return request.line.split()[1]


def account(
    server: Loopback | None = None,
    *,
    key: str = "1",
    api_key: str = API_KEY,
    endpoints: Mapping[str, str] | None = None,
) -> Account:
    http, ws = (server.http, server.ws) if server else ("http://127.0.0.1:1", "ws://127.0.0.1:1")
    return Account(
        key=key,
        credentials={"app_id": APP_ID, "api_key": api_key, "api_secret": API_SECRET},
        endpoints=endpoints
        or {
            "token": f"{http}/aiauth/v1/token",
            "train": f"{http}/voice_train",
            "clone": f"{ws}/v1/private/voice_clone",
            "tts": f"{ws}/v1/private/mcd9m97e6",
        },
    )


def cloning(server: Loopback, *, key: str = "1", api_key: str = API_KEY) -> IflytekCloning:
    built = registry.build("iflytek", account(server, key=key, api_key=api_key)).cloning
    assert isinstance(built, IflytekCloning)
    return built


def order(
    *,
    model: str = "omni_v1",
    language: str = "zh",
    options: Mapping[str, OptionValue] | None = None,
    read: str = "5001-3",
    sample: bytes = SAMPLE,
) -> VoiceOrder:
    return VoiceOrder(
        tag="t00000001",
        name="小明",
        model=model,
        language=language,
        sample_url="https://portal.example/samples/signed",
        sample=lambda: sample,
        options=options or {},
        reading=read,
    )
