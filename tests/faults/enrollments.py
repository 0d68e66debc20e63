"""Enrollments while many of the provider's answers go wrong: dropped or 500, before or after the effect, or 20 s late.

    python -m tests.faults.enrollments [--voices 200] [--share 0.3] [--delete 0.2] [--delay 20] [--patience 3600] [--seed 1]
                                      [--hurry]

Every call of an enrollment operation (create, list, query, delete) is struck with the same chance. Some voices are deleted in
the middle of it. A call without an answer is looked into after 15, 60 and 300 s before it is sent again, and that may go wrong,
too: it takes half an hour until the last voice is clear. With --hurry nobody looks later than 30 s after the last look.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

import requests

from tests.faults.figures import judged, portal_of_its_own, say
from tests.faults.mixed import ACCOUNT, STILL_TO_DO, mark_of
from tests.processes.alice import Alice
from tests.processes.eventually import eventually
from tests.processes.started import Started
from voiceclone_site.sandbox.faults import At, How
from voiceclone_site.sandbox.remote import Sandbox

OPERATIONS = ("create_voice", "list_voice", "query_voice", "delete_voice")
HOW: tuple[How, ...] = ("drop", "drop", "error", "error", "delay")
AT: tuple[At, ...] = ("before", "after")
NOTHING_OF = ("not terminal", "duplicates", "orphans", "slots held without a voice")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--delete", type=float, default=0.2)
    parser.add_argument("--delay", type=float, default=20.0)
    parser.add_argument("--patience", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hurry", action="store_true")
    wanted = parser.parse_args()
    chance = random.Random(wanted.seed)
    with portal_of_its_own() as started:
        started.sandbox.configure(train_seconds=2.0, enrollment_rate=0)
        planned = plan_faults(started.sandbox, chance, calls=3 * wanted.voices, share=wanted.share, delay=wanted.delay)
        alice, began = Alice(started), time.monotonic()
        voices = []
        for _turn in range(wanted.voices):
            voices.append(alice.order_voice())
            if chance.random() < wanted.delete:
                address = f"{started.address}/api/v1/voices/{chance.choice(voices)}"
                requests.delete(address, headers=alice.headers, timeout=30)
        say(f"{len(voices)} voices ordered in {time.monotonic() - began:.0f} s, {planned} faults planned.")
        try:
            eventually(lambda: all_done(started, hurry=wanted.hurry), seconds=wanted.patience, what="all are terminal")
        except AssertionError as late:
            say(str(late))
        found = {**figures(started), "seconds": f"{time.monotonic() - began:.0f}"}
    return judged(found, none_of=NOTHING_OF)


def plan_faults(sandbox: Sandbox, chance: random.Random, *, calls: int, share: float, delay: float) -> int:
    """Strike each of the coming calls of each operation by chance; how many are struck."""
    planned = 0
    for operation in OPERATIONS:
        for nth in (turn for turn in range(1, calls + 1) if chance.random() < share):
            how, at = chance.choice(HOW), chance.choice(AT)
            sandbox.fail(operation=operation, how=how, at=at, nth=nth, account=ACCOUNT, seconds=delay)
            planned += 1
    return planned


def all_done(started: Started, *, hurry: bool) -> bool:
    """Looking every few seconds; `hurry` shortens the waits of rows that nobody works on."""
    if hurry:
        soon = (
            "datetime('now', '+30 seconds')" if "DATABASE_URL" not in started.environment else "now() + interval '30 s'"
        )
        waiting = f"state = 'Unknown' AND lease_until IS NULL AND due_at > {soon}"
        started.sql(f"UPDATE voices_voiceclone SET due_at = {soon} WHERE {waiting}")  # noqa: S608
    time.sleep(2)
    return bool(started.rows(STILL_TO_DO)[0][0] == 0)


def figures(started: Started) -> dict[str, object]:
    sandbox = started.sandbox
    states = Counter(dict(started.rows("SELECT state, count(*) FROM voices_voiceclone GROUP BY state")))
    calls = sandbox.ledger.entries(account=ACCOUNT, direction="in")
    asked = [entry for entry in calls if entry.operation in OPERATIONS]
    live = {voice["voice_id"] for voice in sandbox.voices(ACCOUNT)}
    ours = {row[0] for row in started.rows("SELECT remote_id FROM voices_voiceclone WHERE state <> 'Deleted'")}
    held = started.rows("SELECT voices_held FROM voices_provideraccount WHERE provider = 'aliyun'")[0][0]
    return {
        "voices by state": ", ".join(f"{state} {number}" for state, number in sorted(states.items())),
        "calls, of them struck": f"{len(asked)}, {sum(bool(entry.fault) for entry in asked)}",
        "voices made there": len(sandbox.ledger.created(ACCOUNT)),
        "not terminal": started.rows(STILL_TO_DO)[0][0],
        "duplicates": len(live) - len({mark_of(voice) for voice in live}),
        "orphans": len(live - ours),
        "slots held": held,
        "live voices": len(live),
        "slots held without a voice": abs(held - len(live)),
    }


if __name__ == "__main__":
    sys.exit(main())
