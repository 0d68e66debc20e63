"""`manage.py voiceclone` as a script meets it: arguments in; status, stdout and stderr out."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from voiceclone_site.sandbox.remote import Sandbox


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


CommandLine = Callable[..., Ran]


@pytest.fixture
def at_the_sandbox(sandbox: Sandbox, settings: Settings) -> Sandbox:
    """The environment names no account, and the sandbox answers where it always does."""
    told = json.dumps(settings.PROVIDERS).replace(settings.SANDBOX_HOST, f"127.0.0.1:{sandbox.port}")
    settings.PROVIDERS = json.loads(told)
    return sandbox


@pytest.fixture
def voiceclone(at_the_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")

    def run(*arguments: object, piped: str | bytes = "") -> Ran:
        data = piped if isinstance(piped, bytes) else piped.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        out, err = io.StringIO(), io.StringIO()
        status = 0
        try:
            call_command("voiceclone", *(str(each) for each in arguments), stdout=out, stderr=err)
        except SystemExit as ended:
            status = int(ended.code or 0)
        except CommandError as error:
            # What argparse refuses, it exits with 2 when it is not called from within Python.
            status = 2
            err.write(str(error))
        return Ran(status=status, out=out.getvalue().strip(), err=err.getvalue().strip())

    return run
