"""kill -9 of both clusters, with every process they have, again and again while they work.

python -m tests.faults.cluster [--orders 300] [--seconds 300] [--every 20] [--patience 600]
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time

from tests.faults import mixed
from tests.faults.figures import judged, portal_of_its_own, say


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--every", type=float, default=20)
    parser.add_argument("--patience", type=float, default=600)
    wanted = parser.parse_args()
    with portal_of_its_own() as started:
        work = mixed.begun(started)
        ordering = work.order(wanted.orders, over=wanted.seconds)
        kills: list[float] = []
        until = time.monotonic() + wanted.seconds
        while time.monotonic() + wanted.every < until:
            time.sleep(wanted.every)
            killed = []
            for name in ("worker", "worker_slow"):
                with contextlib.suppress(ProcessLookupError):
                    started.kill(name)
                    killed.append(name)
            if killed:
                kills.append(time.time())
            say(f"Killed: {', '.join(killed) or 'neither, both wait for their next start'}.")
        ordering.join()
        work.wait(seconds=wanted.patience)
        figures = {"kills": len(kills), **work.figures(kills)}
    return judged(figures, none_of=mixed.NOTHING_OF)


if __name__ == "__main__":
    sys.exit(main())
