"""Which row, person and call a line of the log is about, for whoever writes the lines (the site's `logs.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

# Never reset at the end of a request: a streamed body is still to come, and its lines belong to the request.
_about: ContextVar[Mapping[str, str]] = ContextVar("about")


def about() -> Mapping[str, str]:
    return _about.get({})


def begin(**ids: object) -> None:
    """A request begins, or a row is taken in hand: the lines from here on are about this and nothing else."""
    _about.set({})
    note(**ids)


def note(**ids: object) -> None:
    """And about this, too. Ids alone: a name, a text or a secret has no place in a log."""
    _about.set({**about(), **{name: str(value) for name, value in ids.items() if value}})
