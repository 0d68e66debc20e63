"""Settings are read once per process, so each of these starts one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STRONG = "kK9-zqW2_eRt7yUiOp4aSdF6gHjLxCvBnM"


def started(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, with nothing in the environment but what is given."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def setting(expression: str, **environment: str) -> str:
    process = started("-c", f"from voiceclone_site import settings; print({expression})", **environment)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def refusal(**environment: str) -> str:
    process = started("-c", "from voiceclone_site import settings", **environment)
    assert process.returncode != 0
    return process.stderr.splitlines()[-1]


def test_it_boots_with_an_empty_environment_and_keeps_all_it_makes_in_data_dir(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = started("manage.py", "check", DATA_DIR=str(data))
    assert process.returncode == 0, process.stderr
    assert "no issues" in process.stdout
    for name in ("secret_key", "encryption_key"):
        assert stat.S_IMODE((data / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "keys").stat().st_mode) == 0o700
    assert setting("settings.DATABASES['default']['NAME']", DATA_DIR=str(data)) == str(data / "portal.sqlite3")


def test_it_keeps_the_key_that_it_made(tmp_path: Path) -> None:
    first, second = (setting("settings.SECRET_KEY", DATA_DIR=str(tmp_path)) for _time in range(2))
    assert first == second
    assert len(first) > 50


@pytest.mark.parametrize(
    "weak", ["short", "a" * 60, "django-insecure-" + STRONG, "changeme-changeme-changeme-changeme", "Password" + STRONG]
)
def test_it_refuses_a_weak_secret_key(tmp_path: Path, weak: str) -> None:
    sentence = refusal(DATA_DIR=str(tmp_path), SECRET_KEY=weak)
    assert "SECRET_KEY is weak" in sentence
    assert "secrets.token_urlsafe" in sentence
    assert weak not in sentence


def test_it_takes_a_weak_secret_key_while_debugging(tmp_path: Path) -> None:
    assert setting("settings.SECRET_KEY", DATA_DIR=str(tmp_path), DEBUG="true", SECRET_KEY="short") == "short"


@pytest.mark.parametrize("address", ["voices.example.com", "ftp://voices.example.com", "https://"])
def test_it_refuses_a_public_address_that_nobody_could_type(tmp_path: Path, address: str) -> None:
    assert "give the whole address" in refusal(DATA_DIR=str(tmp_path), PUBLIC_BASE_URL=address)


def test_it_refuses_a_way_of_verifying_that_does_not_exist(tmp_path: Path) -> None:
    assert "none, optional or mandatory" in refusal(DATA_DIR=str(tmp_path), EMAIL_VERIFICATION="always")


def test_it_sends_letters_where_it_is_told(tmp_path: Path) -> None:
    expression = "settings.EMAIL_BACKEND.split('.')[-2]"
    assert setting(expression, DATA_DIR=str(tmp_path)) == "filebased"
    assert setting(expression, DATA_DIR=str(tmp_path), EMAIL_URL="smtp+tls://me:pw@mail.example.com:587") == "smtp"


def test_it_answers_to_its_public_name_and_always_on_loopback(tmp_path: Path) -> None:
    hosts = setting("settings.ALLOWED_HOSTS", DATA_DIR=str(tmp_path), PUBLIC_BASE_URL="https://voices.example.com")
    assert hosts == "['voices.example.com', 'localhost', '127.0.0.1', '[::1]']"
    hosts = setting("settings.ALLOWED_HOSTS", DATA_DIR=str(tmp_path), ALLOWED_HOSTS="a.example,b.example")
    assert hosts == "['a.example', 'b.example', 'localhost', '127.0.0.1', '[::1]']"


def test_it_is_fit_for_the_open_network_behind_https(tmp_path: Path) -> None:
    process = started(
        "-W",
        "error",
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        DATA_DIR=str(tmp_path),
        PUBLIC_BASE_URL="https://voices.example.com",
    )
    assert process.returncode == 0, process.stderr
    cookies = setting(
        "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_SSL_REDIRECT",
        DATA_DIR=str(tmp_path),
        PUBLIC_BASE_URL="https://voices.example.com",
    )
    assert cookies == "True True True"


def test_it_believes_forwarded_headers_only_behind_a_proxy(tmp_path: Path) -> None:
    expression = "settings.SECURE_PROXY_SSL_HEADER, settings.ALLAUTH_TRUSTED_PROXY_COUNT"
    assert setting(expression, DATA_DIR=str(tmp_path)) == "None 0"
    behind = setting(expression, DATA_DIR=str(tmp_path), BEHIND_PROXY="true")
    assert behind == "('HTTP_X_FORWARDED_PROTO', 'https') 1"


def test_an_experiment_is_off_and_wants_its_own_key(tmp_path: Path) -> None:
    data, qiniu = {"DATA_DIR": str(tmp_path)}, "settings.PROVIDERS['qiniu']"
    block = setting(f"sorted({qiniu}), {qiniu}['credentials']", **data, QINIU_TTS_API_KEY="sk-unused")
    assert "experiment" not in block
    assert "tts" not in block
    on = {**data, "QINIU_TTS_MODE": "aitoken"}
    chosen = setting(f"{qiniu}['experiment'], {qiniu}['sandbox_endpoints']['tts']", **on, SANDBOX_PORT="8199")
    assert chosen == "aitoken ws://127.0.0.1:8199/v1/voice/tts"
    sentence = refusal(**on, QINIU_API_KEY="key-of-linx")
    assert "QINIU_TTS_API_KEY is not set" in sentence
    assert "key-of-linx" not in sentence
    assert "give off or aitoken" in refusal(**data, QINIU_TTS_MODE="maybe")


def test_it_prints_a_token_and_nothing_else_in_a_fresh_place(tmp_path: Path) -> None:
    assert started("manage.py", "migrate", "-v", "0", DATA_DIR=str(tmp_path)).returncode == 0
    command = ["manage.py", "create_token", "--user", "ci@example.com", "--name", "ci"]
    refused = started(*command, DATA_DIR=str(tmp_path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "add --create-user" in refused.stderr
    made = started(*command, "--create-user", DATA_DIR=str(tmp_path))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("vcp_")
    assert len(made.stdout) == 63
