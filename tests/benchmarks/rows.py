"""What benchmarks of many rows share: rows that the database makes itself, and answers timed as the test client gets them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.scratch import ROOT, scratch

if TYPE_CHECKING:
    from django.db.models import Model
    from django.test import Client

VISITS = 7
CHILD = "--child"

Pages = Mapping[str, "tuple[Client, str]"]
"""By its name, who asks and for what."""


def main(module: str, pages: Callable[[int], Pages], *, counts: tuple[int, int], explained: str) -> None:
    """Ask a portal with few rows and one with many in turn, each with a database of its own at the server of the command line, so
    that whatever else the machine does befalls both; print medians."""
    if sys.argv[1:2] == [CHILD]:
        _answer(pages(int(sys.argv[2])))
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        with ExitStack() as stack:
            few, many = (stack.enter_context(_portal(module, sys.argv[1], count)) for count in counts)
            print(f"{'':46} {counts[0]:>10,} {counts[1]:>12,} {'ratio':>7} {'queries':>8}")
            for name in few.names:
                visits = [(few.visit(name), many.visit(name)) for _visit in range(VISITS + 1)][1:]
                less, more = (statistics.median(each) for each in zip(*visits, strict=True))
                # Twice, for once a minute the use of a token is noted.
                queries = min(many.queries(name) for _time in range(2))
                print(f"{name:46} {less:>7.1f} ms {more:>9.1f} ms {more / less:>7.2f} {queries:>8}", flush=True)
    else:
        sys.exit(explained)


@dataclass(frozen=True)
class _Portal:
    process: subprocess.Popen[str]
    names: list[str]

    def visit(self, name: str) -> float:
        """Milliseconds."""
        return float(self._asked("visit", name))

    def queries(self, name: str) -> int:
        return int(self._asked("queries", name))

    def _asked(self, what: str, name: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([what, name]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def _portal(module: str, server: str, count: int) -> Iterator[_Portal]:
    with scratch(server) as environment:
        command = [sys.executable, "-m", module, CHILD, str(count)]
        child = {**environment, "DJANGO_SETTINGS_MODULE": "voiceclone_site.settings"}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, env=child, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            yield _Portal(process, json.loads(process.stdout.readline()))
            process.terminate()


def _answer(pages: Pages) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    print(json.dumps(list(pages)), flush=True)
    for line in sys.stdin:
        what, name = json.loads(line)
        client, address = pages[name]
        with CaptureQueriesContext(connection) if what == "queries" else nullcontext() as asked:
            began = time.perf_counter()
            answer = client.get(address)
            took = (time.perf_counter() - began) * 1000
        assert answer.status_code == 200, (address, answer.status_code)
        print(len(asked) if asked is not None else took, flush=True)


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
