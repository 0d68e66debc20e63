"""A person with a token, at the other end of a portal that runs in processes of its own."""

from __future__ import annotations

from typing import Any

import requests

from tests.processes.eventually import eventually
from tests.processes.started import Started
from tests.recordings import WOMAN, recording

VOICES, JOBS = "voices_voiceclone", "synthesis_synthesisjob"
LOOKS_EVERY = 0.15
"""Seconds: a token may ask 600 times a minute, and whoever waits for minutes would use that up."""
TEXT = "今天天气怎么样？"


class Alice:
    """A person at the other end of the API, who looks again and again."""

    def __init__(self, started: Started) -> None:
        self.started = started
        token = started.manage("create_token", "--user", "alice@example.com", "--name", "a test", "--create-user")
        self.headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}

    def order_voice(self) -> str:
        form = {"name": "Annie", "consent": "true", "provider": "aliyun", "language": "en"}
        files = {"sample": ("annie.wav", recording(WOMAN))}
        answer = requests.post(
            f"{self.started.address}/api/v1/voices", headers=self.headers, data=form, files=files, timeout=30
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def submit(self, voice: str, text: str = TEXT) -> str:
        order = {"voice": voice, "text": text}
        answer = requests.post(f"{self.started.address}/api/v1/jobs", headers=self.headers, json=order, timeout=30)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def look(self, kind: str, row: str) -> dict[str, Any]:
        """What the API says of a voice or a job; nothing while the web process is down."""
        try:
            answer = requests.get(f"{self.started.address}/api/v1/{kind}/{row}", headers=self.headers, timeout=30)
        except requests.ConnectionError:
            return {}
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def waits_for_look(self, voice: str, number: int) -> None:
        """The portal has asked the provider for its voices this often, and has written down what it heard: before that, letting
        time pass is of no use, for the worker then says anew when it will look next."""

        def looked() -> bool:
            in_hand = f"SELECT 1 FROM {VOICES} WHERE lease_until IS NOT NULL"  # noqa: S608
            self.look("voices", voice)
            return calls(self.started, "list_voice") >= number and not self.started.rows(in_hand)

        eventually(looked, what=f"look {number}")

    def sees(self, kind: str, row: str, *states: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait, looking, until the row stands in one of these states."""
        table = VOICES if kind == "voices" else JOBS

        def stands() -> dict[str, Any]:
            found = self.look(kind, row)
            return found if found.get("state") in states else {}

        try:
            return eventually(stands, seconds=seconds, what=f"{kind}/{row} is {' or '.join(states)}", every=LOOKS_EVERY)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{table}: {self.look(kind, row)}\n{self.started.logs()}") from None


def calls(started: Started, operation: str) -> int:
    return len(started.sandbox.ledger.calls(operation))
