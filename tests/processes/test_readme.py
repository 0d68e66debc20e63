"""README.md and docs/api.md: their lines for the shell are run as they stand, against a portal that was started as they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.listening import listen
from tests.prepared import place
from tests.processes.started import ROOT, Started, portal
from tests.recordings import WOMAN, recording

README = (ROOT / "README.md").read_text()
GUIDE = "".join(re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE | re.DOTALL))
BY_API = re.findall(r"^```sh\n(PORTAL=.*?)^```$", README, re.MULTILINE | re.DOTALL)
IN_PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("readme") / "data"
    place(folder)
    with portal(folder) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the pages are read in: the portal's own folder, with a recording. Nobody sleeps for long in it."""
    (tmp_path / "my-voice.wav").write_bytes(recording(WOMAN))
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    put_program(tmp_path / ".venv" / "bin" / "python", f'exec "{sys.executable}" "$@"')
    put_program(
        tmp_path / "bin" / "curl", f'exec {shutil.which("curl") or f"{sys.executable} {ROOT}/tests/curl.py"} "$@"'
    )
    put_program(tmp_path / "bin" / "sleep", f"exec {shutil.which('sleep')} 0.2")
    return tmp_path


def put_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


def run(script: str, folder: Path, started: Started) -> str:
    """What the lines print; they go through, and complain of nothing."""
    assert script.count("http://127.0.0.1:8000") == 1
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script.replace("http://127.0.0.1:8000", started.address)],
        cwd=folder,
        env={**started.environment, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def test_it_clones_a_voice_and_hears_it_by_the_lines_of_the_readme(folder: Path, started: Started) -> None:
    (script,), (in_python,) = BY_API, IN_PYTHON
    then = f"export TOKEN\nexport PORTAL\n.venv/bin/python - <<'END'\n{in_python}END\n"
    # One address stands for the portal; the lines in Python name it, too.
    then = then.replace('"http://127.0.0.1:8000/v1"', 'os.environ["PORTAL"] + "/v1"')
    state, models = run(script + then, folder, started).splitlines()
    assert state == '"state":"Success"'
    assert "tts-1" in models
    assert 1 < listen((folder / "weather.mp3").read_bytes()).duration < 5
    assert 1 < listen((folder / "openai.mp3").read_bytes()).duration < 5


def test_it_goes_through_the_guide_of_the_api(folder: Path, started: Started) -> None:
    started.sandbox.ledger.clear()
    told = run(GUIDE, folder, started)
    assert told.count('"state":"Success"') == 2
    assert '"characters":' in told
    assert 1 < listen((folder / "weather.mp3").read_bytes()).duration < 5
    assert 2 < listen((folder / "story.wav").read_bytes()).duration < 10
    newest = "(SELECT id FROM voices_voiceclone ORDER BY created_at DESC LIMIT 1)"
    ((state,),) = started.rows(f"SELECT state FROM voices_voiceclone WHERE id = {newest}")  # noqa: S608
    assert state in ("Deleting", "Deleted")
    modes = started.rows(f"SELECT mode FROM synthesis_synthesisjob WHERE voice_id = {newest} ORDER BY mode")  # noqa: S608
    assert modes == [("background",), ("stream",)]
    assert started.sandbox.ledger.calls("run-task")[0].body["payload"]["parameters"]["rate"] == pytest.approx(1.1)


def test_it_leads_only_to_what_exists() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    missing = [
        f"{page.relative_to(ROOT)}: {link}"
        for page, link in links
        if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert missing == []
