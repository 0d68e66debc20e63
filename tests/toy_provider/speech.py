"""How the toy speaks: one JSON frame in; binary frames and one JSON frame out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.toy_provider.errors import refused
from tests.toy_provider.traits import SLUG
from voices.providers.base import Audio, Done, Event, Send, SpeechConnection, SpeechRequest, SpeechSession
from voices.providers.errors import ProviderError, StreamBroken


@dataclass(frozen=True, slots=True)
class ToySpeech:
    account_key: str
    url: str
    headers: Mapping[str, str] = field(repr=False)

    def connection(self, request: SpeechRequest) -> SpeechConnection:
        return SpeechConnection(account_key=self.account_key, provider=SLUG, url=self.url, headers=self.headers)

    def session(self, request: SpeechRequest) -> SpeechSession:
        return Whistling(request)

    def handshake_refused(self, status: int, body: str, *, date: str = "") -> ProviderError | None:
        return None


class Whistling:
    request_id = "toy"

    def __init__(self, request: SpeechRequest) -> None:
        self._request = request

    def open(self) -> Iterator[Send]:
        asked = {"voice": self._request.remote_id, "text": self._request.text, **self._request.options}
        yield Send(json.dumps(asked))

    def receive(self, frame: str | bytes) -> Iterator[Event]:
        if isinstance(frame, bytes):
            yield Audio(frame)
            return
        said = json.loads(frame)
        if said["code"] != "ok":
            raise refused("synthesis", code=said["code"], message=said["message"], request_id=self.request_id)
        yield Done(characters=len(self._request.text), request_id=self.request_id)

    def connection_lost(self, reason: str) -> ProviderError:
        return StreamBroken(reason, provider=SLUG, request_id=self.request_id)
