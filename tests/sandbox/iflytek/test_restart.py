"""What survives the sandbox's end, however it ends."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

from voiceclone_site.sandbox.iflytek_options import IflytekOptions
from voiceclone_site.sandbox.options import for_tests
from voiceclone_site.sandbox.remote import Sandbox
from voiceclone_site.sandbox.running import running

from .wire import OWNER, STRANGER, TEXT, add_task, call, message, result, spoken, submit, token, trained

_SECONDS = 30


def test_it_keeps_voices_tokens_ledger_and_bill_over_a_restart(tmp_path: Path) -> None:
    with running(for_tests(tmp_path)) as sandbox:
        voice = trained(sandbox)
        draft = add_task(sandbox)
        known = token(sandbox)
        spoken(sandbox.iflytek_clone, message(res_id=voice))
    with running(for_tests(tmp_path)) as sandbox:
        assert call(sandbox, "task/result", {"taskId": draft}, with_token=known).json["data"]["trainStatus"] == 2
        assert sandbox.ledger.characters("iflytek-1") == len(TEXT)
        assert spoken(sandbox.iflytek_clone, message(res_id=voice)).statuses[-1] == 2
        assert sandbox.ledger.characters("iflytek-1") == 2 * len(TEXT)
        assert add_task(sandbox) != draft


def test_it_goes_on_training_after_a_kill(tmp_path: Path) -> None:
    data_dir = tmp_path / "sandbox"
    process, sandbox, said = _start(tmp_path, data_dir)
    try:
        for line in (sandbox.iflytek_token, sandbox.iflytek_train, sandbox.iflytek_clone, sandbox.iflytek_tts):
            assert line in said
        for account in (OWNER, STRANGER):
            assert f"IFLY_APP_ID={account.app_id} IFLY_API_KEY={account.api_key}" in said
        task_id = add_task(sandbox)
        submit(sandbox, task_id)
        assert result(sandbox, task_id)["trainStatus"] == -1
    finally:
        process.kill()
        process.communicate(timeout=_SECONDS)
    with running(dataclasses.replace(for_tests(data_dir), train_seconds=60)) as again:
        deadline = time.monotonic() + _SECONDS
        while (found := result(again, task_id))["trainStatus"] == -1:
            assert time.monotonic() < deadline
        assert spoken(again.iflytek_clone, message(res_id=found["assetId"])).statuses[-1] == 2


def test_it_can_be_given_other_accounts(tmp_path: Path) -> None:
    only = dataclasses.replace(for_tests(tmp_path), iflytek=IflytekOptions(accounts=(STRANGER,)))
    with running(only) as sandbox:
        assert trained(sandbox, account=STRANGER)
        assert call(sandbox, "task/traintext", {"textId": 5001}, account=OWNER, with_token="x").code == 10000


def _start(home: Path, data_dir: Path) -> tuple[subprocess.Popen[str], Sandbox, str]:
    """`manage.py sandbox` in a process of its own; what it said when it was ready."""
    command = ["manage.py", "sandbox", "--port", "0", "--data-dir", str(data_dir), "--train-seconds", "2"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "DATA_DIR": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while "account iflytek-2)" not in said:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=_SECONDS)
        said += line
    return process, Sandbox(int(said.split("127.0.0.1:")[1].split()[0])), said
