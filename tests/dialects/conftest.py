"""A portal in processes of its own for the official SDKs, with two people who do not know each other and a voice that can speak."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.prepared import place
from tests.processes.started import Started, database_of_its_own, free_port, portal
from tests.recordings import WOMAN, recording

SCOPES = "voices:read,voices:write,speech,jobs:read,usage:read"
TRAINING_SECONDS = 60.0


@dataclass(frozen=True)
class Studio:
    """`voice` is Annie, of the person whose key is `alice`; `charlie` is a stranger's key, `reader` may not speak."""

    portal: Started
    recording: Path
    voice: str
    alice: str
    charlie: str
    reader: str


@pytest.fixture(scope="session")
def _studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("dialects")
    file = folder / "annie.wav"
    file.write_bytes(recording(WOMAN))
    place(folder / "data")
    with database_of_its_own(f"test_dialects_{free_port()}") as more, portal(folder / "data", **more) as started:

        def key(person: str, scopes: str = SCOPES) -> str:
            user = f"{person}@example.com"
            return started.manage("create_token", "--user", user, "--name", "sdk", "--create-user", "--scopes", scopes)

        alice = key("alice")
        yield Studio(
            portal=started,
            recording=file,
            voice=trained(started, alice, file),
            alice=alice,
            charlie=key("charlie"),
            reader=key("alice", "voices:read"),
        )


@pytest.fixture
def studio(_studio: Studio) -> Iterator[Studio]:
    """The studio with its sandbox at rest: no fault and no waiting is left by another test."""
    options = _studio.portal.sandbox.options()
    yield _studio
    _studio.portal.sandbox.clear_faults()
    _studio.portal.sandbox.configure(speed=options["speed"])


def trained(started: Started, key: str, file: Path) -> str:
    headers = {"Authorization": f"Bearer {key}"}
    with file.open("rb") as sample:
        form = {"name": "Annie", "consent": "true"}
        url = f"{started.address}/api/v1/voices"
        made = requests.post(url, headers=headers, data=form, files={"sample": sample}, timeout=30).json()
    until = time.monotonic() + TRAINING_SECONDS
    while time.monotonic() < until:
        voice = requests.get(made["url"], headers=headers, timeout=30).json()
        if voice["state"] == "Success":
            return str(voice["id"])
        time.sleep(0.2)
    raise AssertionError(f"the voice is still {voice['state']}: {voice['error']}")
