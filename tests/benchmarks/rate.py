"""Four processes against a limit of 10 calls a second: how many arrive in the worst second, and how much of the limit is used.

    python -m tests.benchmarks.rate [postgres://user@host/any]

On SQLite, and on PostgreSQL too where a server is given.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from tests.benchmarks.scratch import ROOT, scratch

LIMIT = 10
PROCESSES = 4
SECONDS = 15.0


def main() -> None:
    print(f"{PROCESSES} processes, {SECONDS:.0f} s, provider's limit {LIMIT}/s, account's rate {0.9 * LIMIT:g}/s")
    for server in ("", *sys.argv[1:2]):
        with scratch(server) as environment:
            report("PostgreSQL" if server else "SQLite", arrivals(environment))


def arrivals(environment: Mapping[str, str]) -> list[float]:
    start = str(time.time() + 5)
    command = [sys.executable, "-m", "tests.benchmarks.rate", "--child", start]
    children = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) for _child in range(PROCESSES)
    ]
    return sorted(moment for child in children for moment in json.loads(child.communicate()[0]))


def report(database: str, moments: Sequence[float]) -> None:
    worst = max(sum(first <= moment < first + 1 for moment in moments) for first in moments)
    share = len(moments) / (moments[-1] - moments[0]) / LIMIT
    print(f"{database:11} {len(moments):4} calls, at most {worst} in any one second, {share:.0%} of the limit")


def child(start: float) -> None:
    import django

    django.setup()
    from voices import rate
    from voices.errors import Busy
    from voices.models import ProviderAccount

    account = ProviderAccount(pk=1)
    moments: list[float] = []
    time.sleep(max(0.0, start - time.time()))
    while time.time() < start + SECONDS:
        try:
            rate.wait(account, "enrollment", per_second=0.9 * LIMIT)
        except Busy as busy:
            time.sleep(busy.retry_after)
        else:
            moments.append(time.time())
    print(json.dumps(moments))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceclone_site.settings")
    if sys.argv[1:2] == ["--child"]:
        child(float(sys.argv[2]))
    else:
        main()
