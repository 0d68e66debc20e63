"""docs/api.md: its lines are run as they stand, against this portal and its sandbox, and every address is in it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from synthesis.models import SynthesisJob
from tests.cast import token_of
from tests.listening import listen
from tests.recordings import WOMAN, recording
from tests.worker import let_time_pass
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.scopes import Scope
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import ProviderAccount, VoiceClone

GUIDE = Path(settings.BASE_DIR) / "docs" / "api.md"

# While the script sleeps the worker has its turn; the connection ends when the worker is done.
SLEEP = """#!{python}
import socket
socket.create_connection(("127.0.0.1", {port})).recv(1)
"""
CURL = """#!/bin/sh
exec "{python}" "{curl}" "$@"
"""
PYTHON = """#!/bin/sh
if [ "$1" = manage.py ]; then echo "{token}"; else exec "{python}" "$@"; fi
"""


def put_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o700)


def work_while_it_sleeps(script: subprocess.Popen[str], naps: socket.socket) -> None:
    naps.settimeout(0.1)
    while script.poll() is None:
        try:
            nap, _address = naps.accept()
        except TimeoutError:
            continue
        with nap:
            let_time_pass()


def test_it_runs_as_written(
    alice: User, aliyun_account: ProviderAccount, public_address: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    script = "".join(re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL))
    assert script.count("http://127.0.0.1:8000") == 1
    (tmp_path / "my-voice.wav").write_bytes(recording(WOMAN))
    with socket.create_server(("127.0.0.1", 0)) as naps:
        port = naps.getsockname()[1]
        put_program(tmp_path / "bin" / "sleep", SLEEP.format(python=sys.executable, port=port))
        curl = Path(settings.BASE_DIR) / "tests" / "curl.py"
        put_program(tmp_path / "bin" / "curl", CURL.format(python=sys.executable, curl=curl))
        token = token_of(alice)
        put_program(tmp_path / ".venv" / "bin" / "python", PYTHON.format(python=sys.executable, token=token))
        with subprocess.Popen(
            ["/bin/sh", "-eu", "-c", script.replace("http://127.0.0.1:8000", public_address)],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            work_while_it_sleeps(running, naps)
            told, complaints = running.communicate()
    assert (running.returncode, complaints) == (0, ""), told
    assert told.count('"state":"Success"') == 2
    assert '"characters":' in told
    assert 1 < listen((tmp_path / "weather.mp3").read_bytes()).duration < 5
    assert 2 < listen((tmp_path / "story.wav").read_bytes()).duration < 10
    assert VoiceClone.objects.get().state == VoiceClone.State.DELETING
    assert {job.mode for job in SynthesisJob.objects.all()} == {"stream", "background"}
    assert sandbox.ledger.calls("run-task")[0].body["payload"]["parameters"]["rate"] == pytest.approx(1.1)


def test_it_names_every_address(visitor: Client) -> None:
    guide = GUIDE.read_text()
    for path, operations in visitor.get("/api/schema/?format=json").json()["paths"].items():
        for method in {"get", "post", "patch", "delete"} & operations.keys():
            assert f"`{method.upper()} {path.removeprefix('/api/v1')}`" in guide, f"{method} {path}"


def test_it_names_every_scope() -> None:
    for scope in Scope.values:
        assert f"| `{scope}` |" in GUIDE.read_text()
