"""How the toy is asked for voices: POST, GET and DELETE of /voices."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.toy_provider.errors import refused
from tests.toy_provider.traits import SLUG
from voices.providers.base import ReadingText, RemoteState, RemoteVoice, VoiceOrder
from voices.providers.errors import InvalidRequest, VoiceNotFound
from voices.providers.http import HttpClient

_STATES = {"humming": RemoteState.WORKING, "ready": RemoteState.READY}


@dataclass(frozen=True, slots=True)
class ToyCloning:
    client: HttpClient
    headers: Mapping[str, str] = field(repr=False)

    def create(self, order: VoiceOrder) -> RemoteVoice:
        told = {"tag": order.tag, "sound": base64.b64encode(order.sample()).decode(), **order.options}
        return _voice(self._call("POST", "/voices", effect=True, json=told)["voice"])

    def train(self, remote_id: str, order: VoiceOrder) -> RemoteVoice:
        told = {"sound": base64.b64encode(order.sample()).decode()}
        return _voice(self._call("POST", f"/voices/{remote_id}", effect=False, json=told)["voice"])

    def rename(self, remote_id: str, name: str) -> None:
        raise InvalidRequest("a toy has no names", provider=SLUG)

    def reading_texts(self) -> Sequence[ReadingText]:
        return ()

    def look_up(self, remote_id: str, model: str) -> RemoteVoice:
        found = self.statuses([remote_id]).get(remote_id)
        return found or RemoteVoice(remote_id=remote_id, state=RemoteState.GONE)

    def statuses(self, remote_ids: Sequence[str]) -> Mapping[str, RemoteVoice]:
        listed = self._call("GET", "/voices", effect=False)["voices"]
        return {row["id"]: _voice(row) for row in listed if row["id"] in remote_ids}

    def find(self, tag: str) -> Sequence[RemoteVoice]:
        listed = self._call("GET", "/voices", effect=False)["voices"]
        return [_voice(row) for row in listed if row["tag"] == tag]

    def delete(self, remote_id: str) -> None:
        try:
            self._call("DELETE", f"/voices/{remote_id}", effect=False)
        except VoiceNotFound:
            return

    def _call(self, method: str, path: str, *, effect: bool, json: object | None = None) -> Mapping[str, Any]:
        answer = self.client.call(method, path, effect=effect, headers=self.headers, json=json)
        if answer.status < 400:
            return answer.body
        code, request_id = str(answer.body["code"]), str(answer.body["request"])
        raise refused("training", code=code, message=str(answer.body["message"]), request_id=request_id)


def _voice(row: Mapping[str, Any]) -> RemoteVoice:
    return RemoteVoice(remote_id=row["id"], state=_STATES[row["state"]], raw_state=row["state"], request_id="toy")
