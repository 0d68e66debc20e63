"""Deploys: both workers and web asked to stop (SIGTERM) and started anew, again and again, while they work.

    python -m tests.faults.deploy [--orders 60] [--deploys 4] [--every 15] [--patience 300]

Nothing may be lost, done twice, or cut off.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time

from tests.faults import mixed
from tests.faults.figures import judged, portal_of_its_own


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--deploys", type=int, default=4)
    parser.add_argument("--every", type=float, default=15)
    parser.add_argument("--patience", type=float, default=300)
    wanted = parser.parse_args()
    with portal_of_its_own() as started:
        work = mixed.begun(started)
        ordering = work.order(wanted.orders, over=wanted.deploys * wanted.every)
        deploys: list[float] = []
        for _deploy in range(wanted.deploys):
            time.sleep(wanted.every)
            for name in ("worker", "worker_slow", "web"):
                with contextlib.suppress(ProcessLookupError):
                    started.ask_to_stop(name)
            deploys.append(time.time())
        ordering.join()
        work.wait(seconds=wanted.patience)
        figures = {"deploys": len(deploys), **work.figures(deploys)}
    return judged(figures, none_of=(*mixed.NOTHING_OF, "jobs interrupted, not sent again"))


if __name__ == "__main__":
    sys.exit(main())
