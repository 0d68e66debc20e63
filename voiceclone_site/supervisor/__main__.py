"""ports ─► preparation ─► sandbox, workers, web ─► wait for /readyz ─► watch ─► stop.

With the name of a program (`python -m voiceclone_site.supervisor worker_slow`) this process becomes that one alone: for systemd,
containers, and whoever else restarts what ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voiceclone_site.supervisor.alarm import Alarm, Stopped
from voiceclone_site.supervisor.groups import ENVIRONMENT
from voiceclone_site.supervisor.leash import Leash
from voiceclone_site.supervisor.places import Taken, hold_folder, need_port, number_of_port
from voiceclone_site.supervisor.portal import Hopeless, Plan, Portal, programs
from voiceclone_site.supervisor.terminal import say


def main() -> int:
    if len(sys.argv) > 1:
        return become(sys.argv[1])
    alarm = Alarm()
    try:
        host = os.environ.get("HOST") or "127.0.0.1"
        port = number_of_port(os.environ.get("PORT") or "8000", setting="PORT")
        sandbox_port = number_of_port(os.environ.get("SANDBOX_PORT") or "8100", setting="SANDBOX_PORT")
        need_port(host, port, setting="PORT")
        data_dir = Path(os.environ.get("DATA_DIR") or "var").resolve()
        with hold_folder(data_dir), Leash() as leash:
            known = prepare(alarm, leash)
            plan = Plan(host, port, sandbox_port, data_dir, known["address"], known["sandbox"], known["stop_seconds"])
            if plan.sandbox:
                need_port("127.0.0.1", sandbox_port, setting="SANDBOX_PORT")
            Portal(plan, alarm, leash).run()
    except (Taken, Hopeless) as reason:
        say(str(reason))
        return 1
    except Stopped:
        say("Stopped.")
    return 0


def become(name: str) -> int:
    """Does not return, unless there is no such program."""
    host, data_dir = os.environ.get("HOST") or "127.0.0.1", Path(os.environ.get("DATA_DIR") or "var").resolve()
    sandbox_port = int(os.environ.get("SANDBOX_PORT") or "8100")
    plan = Plan(host, 0, sandbox_port, data_dir, address="", sandbox=True, stop_seconds=0)
    known = {program.name: program for program in programs(plan)}
    if name in known:
        environment = {**ENVIRONMENT, **os.environ, **known[name].environment}
        os.execve(sys.executable, [sys.executable, *known[name].arguments], environment)  # noqa: S606 — as our own successor
    say(f"There is no program called {name!r}. The programs are {', '.join(known)}.")
    return 2


def prepare(alarm: Alarm, leash: Leash) -> Mapping[str, Any]:
    """What `manage.py prepare` found out. Raises Taken when the portal cannot be made ready to start."""
    say("Preparing ...")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "prepare", "--alone"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    leash.hold([process.pid])
    try:
        while process.poll() is None:
            alarm.pause(1.0)
    finally:
        process.kill()
        answer, _ = process.communicate()
        leash.hold([])
    if process.returncode:
        raise Taken("The portal could not be prepared; the reason is above. Correct it and start again.")
    known: Mapping[str, Any] = json.loads(answer.splitlines()[-1])
    return known


if __name__ == "__main__":
    sys.exit(main())
