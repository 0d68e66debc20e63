"""script/environment.py and script/python, in a checkout of their own that needs no package, so that nothing is fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "http://127.0.0.1:9/simple"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after its first start."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "script").mkdir()
    for name in ("environment.py", "python"):
        shutil.copy2(ROOT / "script" / name, checkout / "script" / name)
    (checkout / "requirements.txt").write_text("# nothing\n")
    done = run(checkout, "import sys; print(sys.prefix)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(checkout / ".venv")
    assert "Installing requirements.txt" in done.stderr
    return checkout


@pytest.fixture
def checkout(made: Path) -> Path:
    (made / "requirements.txt").write_text("# nothing\n")
    return made


def run(checkout: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """As the scripts do it, with an index that nobody serves."""
    bare = {"PATH": os.environ["PATH"], "HOME": str(checkout), "PIP_INDEX_URL": NOBODY, "PIP_RETRIES": "0"}
    arguments = [sys.executable, "script/environment.py", "requirements.txt", "--", "-c", code]
    return subprocess.run(arguments, cwd=checkout, env=bare | more, capture_output=True, text=True, check=False)


def python(checkout: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "script" / "python"), "-c", "import sys; print(sys.version_info[:2])"]
    return subprocess.run(command, env={"PATH": "/usr/bin:/bin"} | more, capture_output=True, text=True, check=False)


def test_it_installs_nothing_when_nothing_has_changed(checkout: Path) -> None:
    done = run(checkout, "print('hello')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_it_becomes_the_command_and_takes_its_exit_code(checkout: Path) -> None:
    assert run(checkout, "raise SystemExit(5)").returncode == 5


def test_it_makes_a_relative_data_dir_absolute_where_it_was_said(checkout: Path, tmp_path: Path) -> None:
    code = "import os; print(os.environ['DATA_DIR'], os.getcwd())"
    command = [sys.executable, str(checkout / "script" / "environment.py"), "requirements.txt", "--", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env={"DATA_DIR": "here"}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path / "here"), str(checkout)]


def test_it_says_what_to_do_when_pip_cannot_install(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text("a-package-that-nobody-serves\n")
    done = run(checkout, "print('hello')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Is the package index reachable?" in done.stderr


def test_it_tries_again_after_a_failed_installation(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text("a-package-that-nobody-serves\n")
    assert run(checkout, "print('hello')").returncode == 1
    assert run(checkout, "print('hello')").returncode == 1


def test_it_refuses_a_python_that_is_none(checkout: Path) -> None:
    done = python(checkout, PYTHON="/bin/true-not")
    assert done.returncode == 1
    assert "PYTHON is set to /bin/true-not, which is not a Python 3.11 or newer" in done.stderr


def test_it_takes_the_python_it_is_given(checkout: Path) -> None:
    assert python(checkout, PYTHON=sys.executable).stdout.strip() == str(sys.version_info[:2])


def test_it_says_so_when_there_is_no_python_at_all(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    command = ["/bin/sh", str(checkout / "script" / "python")]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No Python 3.11 or newer was found" in done.stderr
