"""README.md: its lines for the shell are run as they stand, against a portal that was started as it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.listening import listen
from tests.processes.started import ROOT, portal
from tests.recordings import WOMAN, recording

README = (ROOT / "README.md").read_text()
BY_API = re.findall(r"^```sh\n(PORTAL=.*?)^```$", README, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.xdist_group("starting")


def put_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


def test_it_clones_a_voice_and_hears_it_by_the_lines_of_the_readme(tmp_path: Path) -> None:
    (script,) = BY_API
    (tmp_path / "my-voice.wav").write_bytes(recording(WOMAN))
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    put_program(tmp_path / ".venv" / "bin" / "python", f'exec "{sys.executable}" "$@"')
    put_program(
        tmp_path / "bin" / "curl", f'exec {shutil.which("curl") or f"{sys.executable} {ROOT}/tests/curl.py"} "$@"'
    )
    with portal(tmp_path / "data") as started:
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", script.replace("http://127.0.0.1:8000", started.address)],
            cwd=tmp_path,
            env={**started.environment, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, '"state":"Success"\n', "")
        said = listen((tmp_path / "weather.mp3").read_bytes())
        assert 1 < said.duration < 5


def test_it_leads_only_to_what_exists() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    missing = [
        f"{page.relative_to(ROOT)}: {link}"
        for page, link in links
        if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert missing == []
