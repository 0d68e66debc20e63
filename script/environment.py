"""Make .venv what the given requirements files ask for, then become its Python:

    environment.py requirements.txt [more.txt ...] -- ARGUMENTS FOR PYTHON

Standard library only. When nothing has changed it reaches for neither pip nor the network.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "installed"
"""A copy of every requirements file that pip has been through."""


def main(arguments: Sequence[str]) -> NoReturn:
    split = arguments.index("--")
    files, command = arguments[:split], arguments[split + 1 :]
    signal.signal(signal.SIGTERM, _stop)
    if data_dir := os.environ.get("DATA_DIR"):
        os.environ["DATA_DIR"] = str(Path(data_dir).resolve())
    os.chdir(ROOT)
    with _one_at_a_time():
        if not _is_usable():
            _make()
        if missing := [name for name in files if not _is_installed(name)]:
            _install(missing)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.execv(PYTHON, [str(PYTHON), *command])


def _stop(_number: int, _frame: object) -> NoReturn:
    # An exception, so that a running pip is killed before we go.
    sys.exit("Stopped before the environment was ready; the next start goes on from here.")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two starts in one checkout must not install into each other's environment."""
    with (ROOT / "requirements.txt").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_usable() -> bool:
    """An environment is kept whatever Python made it, unless PYTHON now names another version."""
    if not PYTHON.exists():
        return False
    asked = subprocess.run(
        [PYTHON, "-c", "import sys, pip; print(sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    wanted = str(sys.version_info[:2]) if os.environ.get("PYTHON") else asked.stdout.strip()
    return asked.returncode == 0 and asked.stdout.strip() == wanted


def _make() -> None:
    _say(f"Making .venv with Python {sys.version.split()[0]} ...")
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        venv.create(VENV, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "This Python cannot make a virtual environment with pip in it. "
            "On Debian and Ubuntu: apt-get install python3-venv, then start again."
        )


def _is_installed(name: str) -> bool:
    stamp = _stamp(name)
    return stamp.exists() and stamp.read_bytes() == (ROOT / name).read_bytes()


def _install(names: Sequence[str]) -> None:
    _say(f"Installing {' and '.join(names)} (only when they have changed; a minute or two) ...")
    wanted = [argument for name in names for argument in ("-r", name)]
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", *wanted]
    if subprocess.run(pip, check=False).returncode:
        sys.exit(
            "pip could not install what is needed; its own words are above. "
            "Is the package index reachable? (pip reads PIP_INDEX_URL.) Then start again."
        )
    INSTALLED.mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(ROOT / name, _stamp(name))


def _stamp(name: str) -> Path:
    return INSTALLED / name.replace("/", "-")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 — this is a program for a terminal


if __name__ == "__main__":
    main(sys.argv[1:])
