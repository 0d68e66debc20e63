from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.prepared import place
from tests.processes.eventually import eventually
from tests.processes.started import Started, environment_for, free_port, portal, processes_of, supervisor


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Started in a folder that held nothing, for tests that leave it as it is."""
    with portal(tmp_path_factory.mktemp("first")) as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Used again by every test that ends its portal, as a person's is by every start."""
    used = tmp_path_factory.mktemp("starting")
    place(used)
    return used


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def refusal(environment: dict[str, str]) -> str:
    """What the supervisor says when it does not start."""
    process = supervisor(environment)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    return said


def test_it_says_where_it_is_and_who_may_log_in(first: Started) -> None:
    assert f"http://127.0.0.1:{first.port}/" in first.text
    assert str(first.data_dir / "logs") in first.text
    email, password = re.findall(r"Demo login: +(\S+) +(\S+)", first.text)[0]
    with requests.Session() as browser:
        browser.get(f"{first.address}/accounts/login/", timeout=10)
        form = {"login": email, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        answer = browser.post(f"{first.address}/accounts/login/", data=form, timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/dashboard/")
    assert requests.get(f"{first.address}/livez", timeout=10).status_code == 200
    status, checks = first.readyz()
    assert status == 200
    assert {name: check["status"] for name, check in checks.items()} == {
        "web": "ok",
        "database": "ok",
        "worker": "ok",
        "worker_slow": "ok",
        "sandbox": "ok",
    }
    assert (first.data_dir / "keys" / "secret_key").stat().st_mode & 0o077 == 0


def test_it_leaves_a_folder_to_the_portal_that_has_it(first: Started) -> None:
    said = refusal(environment_for(first.data_dir, port=free_port(), sandbox_port=free_port()))
    assert f"(process {first.process.pid}) is running on {first.data_dir}" in said
    assert first.readyz()[0] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_no_process_when_it_is_asked_to_stop(folder: Path, number: signal.Signals) -> None:
    with portal(folder) as started:
        assert len(processes_of(folder)) >= 14
        assert started.end(number) == 0
        assert not processes_of(folder)
        assert started.text.endswith("Stopped.\n")


def test_it_ends_at_once_when_it_is_asked_twice(folder: Path) -> None:
    with portal(folder) as started:
        os.killpg(started.leader("worker"), signal.SIGSTOP)
        started.process.send_signal(signal.SIGTERM)
        eventually(lambda: "Stopping" in started.text)
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(8) == 0
        assert not processes_of(folder)


def test_it_leaves_no_process_when_it_is_killed(folder: Path) -> None:
    with portal(folder) as started:
        started.process.kill()
        started.process.wait()
        eventually(lambda: not processes_of(folder), seconds=5, what="every process is gone")


def test_it_leaves_no_process_when_it_is_stopped_while_preparing(tmp_path: Path) -> None:
    process = supervisor(environment_for(tmp_path, port=free_port(), sandbox_port=free_port()))
    assert process.stdout is not None
    assert process.stdout.readline() == "Preparing ...\n"
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert (said, process.returncode) == ("Stopped.\n", 0)
    assert not processes_of(tmp_path)


def test_it_starts_without_a_sandbox_when_every_provider_has_a_key(folder: Path) -> None:
    keys = {
        "DASHSCOPE_API_KEY": "sk-nobodys-key-0123456789",
        "IFLY_APP_ID": "0a1b2c3d",
        "IFLY_API_KEY": "0123456789abcdef" * 2,
        "IFLY_API_SECRET": "bm9ib2R5cyBzZWNyZXQgMDEyMzQ1Njc4",
        "QINIU_API_KEY": "qiniu-nobodys-key-0123456789",
    }
    with portal(folder, **keys) as started:
        assert started.leader("worker")
        assert not started.leader("sandbox")
        assert started.readyz()[0] == 200


def test_it_names_a_port_that_somebody_else_has(tmp_path: Path, listener: int) -> None:
    said = refusal(environment_for(tmp_path, port=listener, sandbox_port=free_port()))
    assert f"Port {listener} on 127.0.0.1 cannot be used" in said
    assert f"PORT={listener + 1} script/server" in said
    assert not list(tmp_path.iterdir())


def test_it_names_a_sandbox_port_that_somebody_else_has(tmp_path: Path, listener: int) -> None:
    place(tmp_path)
    said = refusal(environment_for(tmp_path, port=free_port(), sandbox_port=listener))
    assert f"SANDBOX_PORT={listener + 1} script/server" in said
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1", "٨٠٠٠"])
def test_it_names_what_is_no_port(tmp_path: Path, port: str) -> None:
    environment = environment_for(tmp_path, port=1, sandbox_port=free_port()) | {"PORT": port}
    assert f"PORT is {port!r}; give a port number from 1 to 65535" in refusal(environment)


def test_it_refuses_a_weak_key_in_one_sentence(tmp_path: Path) -> None:
    said = refusal(environment_for(tmp_path, port=free_port(), sandbox_port=free_port(), SECRET_KEY="changeme"))
    assert "SECRET_KEY is weak" in said
    assert "Traceback" not in said


def test_it_shows_the_last_words_of_a_program_that_does_not_start(tmp_path: Path) -> None:
    place(tmp_path)
    said = refusal(environment_for(tmp_path, port=free_port(), sandbox_port=free_port(), WEB_CONCURRENCY="many"))
    assert "web ended 4 times and the portal was never ready" in said
    assert "invalid literal for int() with base 10: 'many'" in said
    assert not processes_of(tmp_path)


def test_it_keeps_running_when_nobody_reads_what_it_says(folder: Path) -> None:
    environment = environment_for(folder, port=free_port(), sandbox_port=free_port())
    reads, writes = os.pipe()
    os.close(reads)
    process = supervisor(environment, output=writes)
    os.close(writes)
    try:
        url = f"http://127.0.0.1:{environment['PORT']}/readyz"
        eventually(lambda: _status(url) == 200, seconds=60, what="the portal is ready")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert not processes_of(folder)


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=10).status_code
    except requests.ConnectionError:
        return 0
