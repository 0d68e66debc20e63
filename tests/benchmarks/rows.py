"""What benchmarks of many rows share: rows that the database makes itself, and answers timed as the test client gets them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tests.benchmarks.scratch import ROOT, scratch

if TYPE_CHECKING:
    from django.db.models import Model
    from django.test import Client

VISITS = 9
SLOW = 150
"""Milliseconds from which a page's slowest query is told, on stderr."""
CHILD = "--child"

Figures = dict[str, tuple[float, int]]
"""Of each page its median in milliseconds, and its queries."""


def main(module: str, child: Callable[[int], Figures], *, counts: tuple[int, int], explained: str) -> None:
    """Measure with few rows and with many, each in a database of its own at the server of the command line; print both."""
    if sys.argv[1:2] == [CHILD]:
        print(json.dumps(child(int(sys.argv[2]))))
    elif len(sys.argv) == 2:
        few, many = (_measured(module, sys.argv[1], count) for count in counts)
        print(f"{'':46} {counts[0]:>10,} {counts[1]:>12,} {'ratio':>7} {'queries':>8}")
        for name, (ms, _queries) in few.items():
            more, queries = many[name]
            print(f"{name:46} {ms:>7.1f} ms {more:>9.1f} ms {more / ms:>7.2f} {queries:>8}")
    else:
        sys.exit(explained)


def _measured(module: str, server: str, count: int) -> Figures:
    with scratch(server) as environment:
        command = [sys.executable, "-m", module, CHILD, str(count)]
        child = {**environment, "DJANGO_SETTINGS_MODULE": "voiceclone_site.settings"}
        told = subprocess.run(command, cwd=ROOT, env=child, check=True, stdout=subprocess.PIPE, text=True).stdout
        found: Figures = json.loads(told.splitlines()[-1])
        return found


def timed(pages: Mapping[str, tuple[Client, str]]) -> Figures:
    """The medians of several visits, after one to warm up."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    figures: Figures = {}
    for name, (client, address) in pages.items():
        times: list[float] = []
        for _visit in range(VISITS + 1):
            began = time.perf_counter()
            answer = client.get(address)
            times.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, (address, answer.status_code)
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        figures[name] = (statistics.median(times[1:]), len(asked))
        if figures[name][0] > SLOW:
            slowest = max(asked.captured_queries, key=lambda query: float(query["time"]))
            print(f"{name}: {slowest['time']} s: {slowest['sql'][-900:]}", file=sys.stderr)
    return figures


def copied(model: type[Model], pk: Any, count: int, **different: str) -> None:
    """`count` copies of one row; `different` are columns as SQL, in which `n` counts from 1."""
    from django.db import connection

    columns = [str(field.column) for field in model._meta.concrete_fields]
    values = ", ".join(different.get(column, f'pattern."{column}"') for column in columns)
    named = ", ".join(f'"{column}"' for column in columns)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({named}) SELECT {values} "  # noqa: S608 — names of our models
            f"FROM generate_series(1, {count}) n, {table} pattern WHERE pattern.id = '{pk}'"
        )


def tidied() -> None:
    """As autovacuum leaves tables."""
    from django.db import connection

    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
