"""What a speech form did, as its own events tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.processes.eventually import eventually

_LISTEN = """() => {
  window.speechEvents = [];
  for (const kind of ["chunk", "first", "end"]) {
    document.addEventListener(`speech:${kind}`, (event) => window.speechEvents.push([kind, event.detail]));
  }
}"""


@dataclass(frozen=True)
class Spoken:
    first_chunk_at: float
    """Unix time at which the first bytes were in the page's hands; 0 when none came."""
    first_sound_seconds: float
    """From the click to the loudspeaker; 0 when nothing sounded."""
    end: dict[str, Any]


def until(page: Page, condition: str) -> None:
    """Wait for an expression of JavaScript. Playwright's own wait_for_function evaluates strings inside the page, which our
    content security policy refuses."""
    eventually(lambda: page.evaluate(condition), seconds=60, what=condition)


def listen(page: Page) -> None:
    page.evaluate(_LISTEN)


def spoken(page: Page) -> Spoken:
    """Once the form says that it has ended."""
    until(page, "window.speechEvents.some(([kind]) => kind === 'end')")
    events: list[tuple[str, dict[str, Any]]] = page.evaluate("window.speechEvents")
    chunks = [detail["at"] / 1000 for kind, detail in events if kind == "chunk"]
    first = [detail["seconds"] for kind, detail in events if kind == "first"]
    end = next(detail for kind, detail in events if kind == "end")
    return Spoken(first_chunk_at=min(chunks, default=0.0), first_sound_seconds=min(first, default=0.0), end=end)
