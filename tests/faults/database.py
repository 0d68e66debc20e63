"""PostgreSQL stopped under work, as by a crash, for 5 s and for 40 s. Uses a server of its own, never one that is running.

python -m tests.faults.database [--orders 100] [--outages 5 40] [--patience 600]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import mixed
from tests.faults.figures import judged, say
from tests.faults.postgres import postgres_of_our_own
from tests.processes.started import portal

CALM = 15.0
"""Seconds of work before each outage, and after the last."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--outages", type=float, nargs="+", default=[5.0, 40.0])
    parser.add_argument("--patience", type=float, default=600)
    wanted = parser.parse_args()
    with (
        postgres_of_our_own() as server,
        tempfile.TemporaryDirectory(prefix="voiceclone-faults-") as folder,
        portal(Path(folder), DATABASE_URL=server.url) as started,
    ):
        work = mixed.begun(started)
        ordering = work.order(wanted.orders, over=CALM * (len(wanted.outages) + 1))
        back: list[float] = []
        for seconds in wanted.outages:
            time.sleep(CALM)
            server.stop()
            time.sleep(seconds)
            server.start()
            back.append(time.time())
            say(f"The database was away for {seconds:g} s.")
        ordering.join()
        work.wait(seconds=wanted.patience)
        figures = {"outages, s": wanted.outages, **work.figures(back)}
    return judged(figures, none_of=mixed.NOTHING_OF)


if __name__ == "__main__":
    sys.exit(main())
