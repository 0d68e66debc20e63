"""What survives the sandbox's end, however it ends."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.recordings import MAN
from tests.sample_server import SampleServer
from tests.sandbox_server import ALIYUN_ACCOUNT, ALIYUN_KEY, OTHER_ALIYUN_KEY
from voiceclone_site.sandbox.options import for_tests
from voiceclone_site.sandbox.remote import Sandbox
from voiceclone_site.sandbox.running import running

from .dialogue import spoken
from .enrolling import ask, enroll

MODEL = "cosyvoice-v2"
_SECONDS = 30


def test_it_keeps_voices_ledger_and_bill_over_a_restart(tmp_path: Path, samples: SampleServer) -> None:
    with running(for_tests(tmp_path)) as sandbox:
        voice = enroll(sandbox, samples, model=MODEL)
        spoken(sandbox, model=MODEL, voice=voice, text="你好。")
    with running(for_tests(tmp_path)) as sandbox:
        assert ask(sandbox, action="query_voice", voice_id=voice).json()["output"]["status"] == "OK"
        assert sandbox.ledger.created(ALIYUN_ACCOUNT) == [voice]
        assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 5
        assert spoken(sandbox, model=MODEL, voice=voice, text="你好。").characters == 5
        assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 10


def test_it_goes_on_training_after_a_kill(tmp_path: Path, samples: SampleServer) -> None:
    data_dir = tmp_path / "sandbox"
    process, sandbox, said = _start(tmp_path, data_dir)
    try:
        assert ALIYUN_KEY in said
        assert OTHER_ALIYUN_KEY in said
        assert sandbox.aliyun_http in said
        assert sandbox.aliyun_websocket in said
        voice = enroll(sandbox, samples, speaker=MAN, model=MODEL)
        assert sandbox.voices()[0]["status"] == "DEPLOYING"
    finally:
        process.kill()
        process.communicate(timeout=_SECONDS)
    with running(dataclasses.replace(for_tests(data_dir), train_seconds=60)) as again:
        assert again.ledger.created(ALIYUN_ACCOUNT) == [voice]
        deadline = time.monotonic() + _SECONDS
        while again.voices()[0]["status"] != "OK":
            assert time.monotonic() < deadline
        assert spoken(again, model=MODEL, voice=voice, text="你好。").order[-1] == "task-finished"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    process, _, _ = _start(tmp_path, tmp_path / "sandbox")
    process.send_signal(number)
    out, err = process.communicate(timeout=_SECONDS)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("Sandbox stopped.\n")


def test_it_says_so_when_the_port_is_taken(tmp_path: Path, sandbox: Sandbox) -> None:
    with (
        pytest.raises(OSError, match="in use"),
        running(dataclasses.replace(for_tests(tmp_path), port=sandbox.port)),
    ):
        pass


def _start(home: Path, data_dir: Path) -> tuple[subprocess.Popen[str], Sandbox, str]:
    """`manage.py sandbox` in a process of its own; what it said when it was ready."""
    command = ["manage.py", "sandbox", "--port", "0", "--data-dir", str(data_dir), "--train-seconds", "1"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "DATA_DIR": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while "aliyun-2)" not in said:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=_SECONDS)
        said += line
    return process, Sandbox(int(said.split("127.0.0.1:")[1].split()[0])), said
