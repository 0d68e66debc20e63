"""What must be harmless to rows that are the truth: the queue's table emptied, every wake-up sent five times, a worker frozen.

    python -m tests.faults.wake_ups [--orders 60] [--patience 600] [--frozen 95]

A worker is frozen (SIGSTOP) in the middle of a synthesis for twice the 45 s of its lease, and then goes on as if nothing had been.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time

from tests.faults import mixed
from tests.faults.figures import judged, portal_of_its_own, say
from tests.processes.alice import calls
from tests.processes.eventually import eventually
from tests.processes.started import Started

SECONDS = 30.0
"""In which the orders come."""
SQLITE_FIVE_TIMES = """
    CREATE TRIGGER five_times AFTER INSERT ON django_q_ormq BEGIN
        INSERT INTO django_q_ormq (key, payload, lock) SELECT NEW.key, NEW.payload, NEW.lock
        FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4);
    END
"""
POSTGRES_FIVE_TIMES = """
    CREATE FUNCTION five_times() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_trigger_depth() = 1 THEN
            INSERT INTO django_q_ormq (key, payload, lock) SELECT NEW.key, NEW.payload, NEW.lock FROM generate_series(1, 4);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER five_times AFTER INSERT ON django_q_ormq FOR EACH ROW EXECUTE FUNCTION five_times();
"""
ONCE_AGAIN = "DROP TRIGGER five_times"
ONCE_AGAIN_POSTGRES = "DROP TRIGGER five_times ON django_q_ormq"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--patience", type=float, default=600)
    parser.add_argument("--frozen", type=float, default=95)
    wanted = parser.parse_args()
    with portal_of_its_own() as started:
        work = mixed.begun(started)
        started.sql(POSTGRES_FIVE_TIMES if "DATABASE_URL" in started.environment else SQLITE_FIVE_TIMES)
        ordering = work.order(wanted.orders, over=SECONDS)
        emptied: list[float] = []
        for _time in range(3):
            time.sleep(SECONDS / 4)
            started.sql("DELETE FROM django_q_ormq")
            emptied.append(time.time())
        ordering.join()
        work.wait(seconds=wanted.patience)
        started.sql(ONCE_AGAIN_POSTGRES if "DATABASE_URL" in started.environment else ONCE_AGAIN)
        say("Every wake-up was sent five times, and the queue emptied three times.")
        freeze(started, work, seconds=wanted.frozen)
        work.wait(seconds=wanted.patience)
        figures = {"queue emptied": len(emptied), "worker frozen, s": wanted.frozen, **work.figures(emptied)}
    return judged(figures, none_of=mixed.NOTHING_OF)


def freeze(started: Started, work: mixed.Mixed, *, seconds: float) -> None:
    """Stop the worker that speaks the next job while its provider hesitates, and let it go on when others have closed the books."""
    started.sandbox.fail(operation="synthesis", how="delay", at="before", seconds=3.0)
    text = "这一句说到一半就停了。"
    asked = calls(started, "run-task")
    job = work.alice.submit(work.spoken_with, text)
    work.texts[job] = text
    eventually(lambda: calls(started, "run-task") > asked, what="the provider was asked")
    pid = speaks(started)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    ended = work.alice.sees("jobs", job, "Failed", "Success", seconds=120)
    os.kill(pid, signal.SIGCONT)
    say(
        f"A frozen worker's job had ended as {ended['state']} ({(ended['error'] or {}).get('code')}) before it went on."
    )
    time.sleep(5)
    after = work.alice.look("jobs", job)
    if (after["state"], after["error"]) != (ended["state"], ended["error"]):
        raise SystemExit(f"The frozen worker wrote over what others had settled: {after}")


def speaks(started: Started) -> int:
    """The slow queue's worker that was last given a job: by django-q2's own lines, in either language."""
    log = (started.data_dir / "logs" / "worker_slow.log").read_text()
    named = re.findall(r"(Process-\w+) .*synthesis\.tasks\.advance_job", log)
    if not named:
        return 0
    found = re.findall(rf"{named[-1]} (?:ready for work at|已准备好在) (\d+)", log)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
