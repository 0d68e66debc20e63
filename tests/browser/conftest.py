"""A real portal in processes of its own, and Chromium in front of it with a microphone into which somebody reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.processes.eventually import eventually
from tests.processes.started import Started, portal
from tests.recordings import CHINESE_WOMAN, recording

CHROMIUM = "/usr/bin/chromium"
SECONDS = 60_000
"""Milliseconds, as Playwright counts: for machines that do much else."""
WANTED = ("Failed to load resource", "htmx:sendError", "htmx:afterRequest")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Home:
    """The demo person's account, a voice that is ready there, and a webhook that was told so and did not answer."""

    email: str
    password: str
    voice: str
    webhook: str
    state: Path
    """Cookies of a browser that is logged in."""


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with portal(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def site(started: Started) -> Iterator[Started]:
    """The portal; what a test has changed in its sandbox is undone."""
    options = started.sandbox.options()
    yield started
    started.sandbox.clear_faults()
    started.sandbox.configure(speed=options["speed"], train_seconds=options["train_seconds"])


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of a woman who reads Chinese aloud."""
    file = tmp_path_factory.mktemp("recordings") / "reading.wav"
    file.write_bytes(recording(CHINESE_WOMAN, 12, rate=48000))
    return file


@pytest.fixture(scope="session")
def chromium(sample: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={sample}",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, site: Started) -> Iterator[Callable[..., Page]]:
    """A page at `width` pixels for a reader of `language`. Whatever it complains about in its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # A refusal is an answer that some tests want, and so is a cut line; what is on the page then is theirs to look at.
        if message.type in ("error", "warning") and not message.text.startswith(WANTED):
            complaints.append(message.text)

    def opened(*, language: str = "zh-CN", width: int = 1280, home: Home | None = None, **more: Any) -> Page:
        context = chromium.new_context(
            base_url=site.address,
            locale=language,
            viewport={"width": width, "height": 850},
            permissions=["microphone"],
            storage_state=home.state if home else None,
            **more,
        )
        context.set_default_timeout(SECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def home(started: Started, chromium: Browser, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return home_of(started, chromium, sample, tmp_path_factory.mktemp("home") / "state.json")


def home_of(started: Started, chromium: Browser, sample: Path, state: Path) -> Home:
    """Make a voice for the demo person, and log in."""
    email, password = re.findall(r"Demo login: +(\S+) +(\S+)", started.text)[0]
    token = started.manage("create_token", "--user", email, "--name", "browser tests")
    voices, webhooks = (f"{started.address}/api/v1/{each}" for each in ("voices", "webhooks"))
    headers = {"Authorization": f"Bearer {token}"}
    wanted = {"url": "https://localhost/told/of/voices/and/jobs", "events": ["voice.ready", "job.done"]}
    told = requests.post(webhooks, json=wanted, headers=headers, timeout=30)
    assert told.status_code == 201, told.text
    with sample.open("rb") as file:
        form = {"name": "小雅", "language": "zh", "consent": "true"}
        made = requests.post(voices, data=form, files={"sample": file}, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    voice = made.json()["id"]

    def is_ready() -> bool:
        found = requests.get(f"{voices}/{voice}", headers=headers, timeout=10).json()
        return bool(found["state"] == "Success")

    eventually(is_ready, what="the voice is ready")
    context = chromium.new_context(base_url=started.address)
    page = context.new_page()
    log_in(page, email=email, password=password)
    context.storage_state(path=state)
    context.close()
    return Home(email=email, password=password, voice=voice, webhook=told.json()["id"], state=state)


def log_in(page: Page, *, email: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", password)
    page.click("main button[type=submit]")
    page.wait_for_url("**/dashboard/")
