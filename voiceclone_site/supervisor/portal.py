"""The portal as it runs: its programs, kept running until somebody asks them to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voiceclone_site.supervisor import readiness
from voiceclone_site.supervisor.alarm import Alarm, Stopped
from voiceclone_site.supervisor.groups import Group, Program, keep_small
from voiceclone_site.supervisor.leash import Leash
from voiceclone_site.supervisor.readiness import Readiness
from voiceclone_site.supervisor.terminal import say
from voices.queues import Queue

TICK = 0.5
LOOK_EVERY = 5.0
"""Seconds between two looks at /readyz once the portal has been ready."""
NEW_WORKER = 30.0
"""Seconds that a worker has, from its start, to come through the queue."""
HOPELESS = 4
"""Starts of one program without the portal ever having been ready."""
REPORT_AFTER = 60.0
WORKERS: Mapping[str, str] = {"worker": Queue.DEFAULT, "worker_slow": Queue.SLOW}
"""What a queue's worker is called, here and at /readyz."""


@dataclass(frozen=True, slots=True)
class Plan:
    host: str
    port: int
    sandbox_port: int
    data_dir: Path
    address: str
    """What people type."""
    sandbox: bool
    stop_seconds: int

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"


class Hopeless(Exception):
    """A program that does not start, with its last words."""

    def __init__(self, group: Group) -> None:
        super().__init__(
            f"{group.name} ended {group.starts} times and the portal was never ready. Its last words:\n\n"
            f"{group.last_words()}\n\nThe whole log: {group.program.log}"
        )


def programs(plan: Plan) -> Iterator[Program]:
    """In the order in which they start."""
    if plan.sandbox:
        command = ["manage.py", "sandbox", "--port", str(plan.sandbox_port)]
        yield Program("sandbox", command, plan.logs / "sandbox.log", patience=5.0)
    # A cluster may hang after a task ran out of time (measured), so it is never waited for without end.
    patience = plan.stop_seconds + 2.0
    for name, queue in WORKERS.items():
        yield Program(
            name, ["manage.py", "work", queue], plan.logs / f"{name}.log", patience, {"Q_CLUSTER_NAME": queue}
        )
    yield Program("web", ["-m", "voiceclone_site.supervisor.web"], plan.logs / "web.log", patience)


class Portal:
    def __init__(self, plan: Plan, alarm: Alarm, leash: Leash) -> None:
        self.plan = plan
        self.alarm = alarm
        self.leash = leash
        self.groups = [Group(program) for program in programs(plan)]

    def run(self) -> None:
        """Until somebody asks to stop. Raises Stopped then, with nothing left running; Hopeless when it never gets ready."""
        self.plan.logs.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
            say(greeting(self.plan))
            self._watch()
        finally:
            say("Stopping ...")
            self._stop()

    def _start(self) -> None:
        began = time.monotonic()
        reported = False
        while True:
            self._keep_running()
            answer = self._ask()
            if answer.ready:
                return
            for group in self.groups:
                if group.starts >= HOPELESS and not group.is_alive:
                    raise Hopeless(group)
            if not reported and time.monotonic() - began > REPORT_AFTER:
                reported = True
                why = " ".join(answer.failed.values()) or "The web process does not answer yet."
                say(f"Not ready after {REPORT_AFTER:.0f} s: {why} The logs are in {self.plan.logs}. Waiting on ...")
            self.alarm.pause(TICK)

    def _watch(self) -> None:
        looked_at = time.monotonic()
        while True:
            self._keep_running()
            if time.monotonic() - looked_at > LOOK_EVERY:
                self._look()
                looked_at = time.monotonic()
            self.alarm.pause(TICK)

    def _keep_running(self) -> None:
        """Start what is due, and clear away what is left of a group whose leader has ended."""
        for group in self.groups:
            if group.id and not group.is_alive:
                say(f"{group.name} ended and will be started again; its log: {group.program.log}")
                group.kill()
            if not group.id and time.monotonic() >= group.due_at:
                group.start()
        self.leash.hold([group.id for group in self.groups if group.id])

    def _look(self) -> None:
        """A cluster ends itself when nothing comes through it; one whose every process is stopped cannot, and is ended here."""
        for group in self.groups:
            keep_small(group.program.log)
        failed = self._ask().failed
        if "database" in failed:
            return
        for group in self.groups:
            if group.name not in WORKERS or group.name not in failed:
                continue
            if group.id and time.monotonic() - group.started_at > NEW_WORKER:
                say(f"{group.name} hears nothing any more and will be started again. {failed[group.name]}")
                group.kill()

    def _ask(self) -> Readiness:
        """Only our own web process is asked: while it is down somebody else could be listening there."""
        if any(group.name == "web" and group.is_alive for group in self.groups):
            return readiness.ask(self.plan.host, self.plan.port)
        return Readiness(answered=False)

    def _stop(self) -> None:
        """Web and worker first, so that what they are saying may end; then the sandbox they speak to."""
        late = [group for group in self.groups if group.name == "sandbox"]
        self._stop_together([group for group in self.groups if group not in late])
        self._stop_together(late)
        self.leash.hold([])

    def _stop_together(self, groups: Sequence[Group]) -> None:
        """Asked once, they have their patience's time; being asked again is an order to end at once."""
        for group in groups:
            group.ask_to_stop()
        asked = time.monotonic()
        try:
            while any(group.is_alive and time.monotonic() - asked < group.program.patience for group in groups):
                self.alarm.pause(TICK)
        except Stopped:
            say("Asked twice: ending at once.")
        for group in groups:
            group.kill()


def greeting(plan: Plan) -> str:
    logins = plan.data_dir / "demo_login.txt"
    lines = [
        "",
        f"The portal is ready: {plan.address}/",
        *(logins.read_text().splitlines() if logins.exists() else ()),
        f"Administration:  {plan.address}/admin/",
        f"API:             {plan.address}/api/docs/",
        f"Logs:            {plan.logs}",
        "Stop it with Ctrl-C.",
        "",
    ]
    return "\n".join(lines)
