"""Mixed work for a portal that is being broken: voices enrolled, jobs spoken, voices deleted, evenly over a length of time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import requests

from tests.faults.figures import say
from tests.processes.alice import Alice
from tests.processes.eventually import eventually
from tests.processes.started import Started

ACCOUNT = "aliyun-1"
STILL_TO_DO = (
    "SELECT (SELECT count(*) FROM voices_voiceclone WHERE due_at IS NOT NULL)"
    " + (SELECT count(*) FROM synthesis_synthesisjob WHERE due_at IS NOT NULL)"
)
BY_WORKERS = (
    "SELECT at FROM voices_voiceevent WHERE kind NOT IN ('created', 'delete_requested')"
    " UNION ALL SELECT at FROM synthesis_jobevent WHERE kind <> 'created'"
)


@dataclass
class Mixed:
    """One in five orders is a new voice, and every second of those voices is deleted again; the others are spoken jobs."""

    started: Started
    alice: Alice
    spoken_with: str
    voices: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    """Text of each job, all different: by it the ledger tells how often it was sent."""
    deleted: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def order(self, number: int, *, over: float) -> threading.Thread:
        """Begin to order; the thread ends with the last order."""
        thread = threading.Thread(target=self._order, args=(number, over), daemon=True)
        thread.start()
        return thread

    def _order(self, number: int, over: float) -> None:
        began = time.monotonic()
        try:
            for turn in range(number):
                time.sleep(max(0.0, began + over * turn / number - time.monotonic()))
                _until_answered(self._order_voice if turn % 5 == 0 else self._order_job)
        except BaseException as error:
            self.failures.append(error)
            raise

    def _order_voice(self) -> None:
        self.voices.append(self.alice.order_voice())
        if len(self.voices) % 4 == 0:
            _until_answered(lambda: self._delete(self.voices[-3]))

    def _delete(self, voice: str) -> None:
        address = f"{self.started.address}/api/v1/voices/{voice}"
        answer = requests.delete(address, headers=self.alice.headers, timeout=30)
        if answer.status_code >= 500:
            raise requests.ConnectionError(answer.text)
        self.deleted += 1

    def _order_job(self) -> None:
        text = f"这是第{len(self.texts) + 1}句。"
        self.texts[self.alice.submit(self.spoken_with, text)] = text

    def wait(self, *, seconds: float) -> None:
        """Until nothing is left to do, or time is up; what is left then is lost."""
        try:
            eventually(lambda: self.started.rows(STILL_TO_DO)[0][0] == 0, seconds=seconds, what="everything is done")
        except AssertionError as late:
            say(str(late))

    # --- the verdict -------------------------------------------------------------------------------------------------

    def figures(self, faults: Sequence[float]) -> dict[str, object]:
        """What became of it. `faults`: when something was broken, as Unix times."""
        assert not self.failures, self.failures
        sandbox = self.started.sandbox
        created = sandbox.ledger.created(ACCOUNT)
        ours = {row[0] for row in self.started.rows("SELECT remote_id FROM voices_voiceclone WHERE remote_id <> ''")}
        live = {voice["voice_id"] for voice in sandbox.voices(ACCOUNT)}
        sent = Counter(
            entry.body["payload"]["input"].get("text", "") for entry in sandbox.ledger.calls("continue-task", ACCOUNT)
        )
        states = Counter(dict(self.started.rows("SELECT state, count(*) FROM synthesis_synthesisjob GROUP BY state")))
        interrupted = self.started.rows("SELECT count(*) FROM synthesis_synthesisjob WHERE error_code = 'interrupted'")
        held = self.started.rows("SELECT voices_held FROM voices_provideraccount WHERE provider = 'aliyun'")[0][0]
        return {
            "orders: voices, deletions, jobs": f"{len(self.voices)}, {self.deleted}, {len(self.texts)}",
            "jobs by state": ", ".join(f"{state} {number}" for state, number in sorted(states.items())),
            "jobs interrupted, not sent again": interrupted[0][0],
            "lost": self.started.rows(STILL_TO_DO)[0][0],
            "duplicated voices": len(created) - len({mark_of(voice) for voice in created}),
            "duplicated jobs": sum(sent[text] - 1 for text in self.texts.values() if sent[text] > 1),
            "orphans": len(live - ours),
            "slots held without a voice": abs(held - len(live)),
            "recovery after each fault, s": ", ".join(f"{each:.1f}" for each in self.recoveries(faults)),
            "worst recovery, s": f"{max(self.recoveries(faults), default=0.0):.1f}",
            "last row done after last fault, s": f"{max(self._moves(), default=0.0) - faults[-1]:.1f}",
        }

    def recoveries(self, faults: Sequence[float]) -> list[float]:
        """For each fault the seconds until a worker next moved a row; only meaningful while there was work."""
        moved = self._moves()
        found = (next((at - fault for at in moved if at > fault), None) for fault in faults)
        return [seconds for seconds in found if seconds is not None]

    def _moves(self) -> list[float]:
        """When a worker moved a row."""
        return sorted(_unix(row[0]) for row in self.started.rows(BY_WORKERS))


NOTHING_OF = ("lost", "duplicated voices", "duplicated jobs", "orphans", "slots held without a voice")


def begun(started: Started, *, train_seconds: float = 2.0) -> Mixed:
    """With a voice that is ready to speak, and an empty ledger."""
    alice = Alice(started)
    started.sandbox.configure(train_seconds=train_seconds, synthesis_rate=0, enrollment_rate=0)
    voice = alice.order_voice()
    alice.sees("voices", voice, "Success")
    return Mixed(started, alice, voice)


def mark_of(remote_id: str) -> str:
    """Our mark in the id of a voice there: one for each intent."""
    return remote_id.split("-")[-2]


def _until_answered(order: Callable[[], None]) -> None:
    """A person tries again when the portal, or its database, does not answer. Nothing was taken in then."""
    until = time.monotonic() + 120
    while True:
        try:
            return order()
        except (requests.ConnectionError, AssertionError):
            if time.monotonic() > until:
                raise
            time.sleep(1)


def _unix(at: str | datetime) -> float:
    """SQLite keeps times as text in UTC."""
    return at.timestamp() if isinstance(at, datetime) else datetime.fromisoformat(f"{at}+00:00").timestamp()
