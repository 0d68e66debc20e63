"""The files that others run the portal with: they name programs, settings and commands that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.site.test_settings import started
from tests.site.test_settings_doc import documented

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
PROGRAMS = ("web", "worker", "worker_slow", "sandbox")

# What of https://github.com/compose-spec/compose-spec our file uses, and nothing else is let pass.
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
DURATION = {"type": "string", "pattern": r"^\d+[smh]$"}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": TEXT,
        "build": TEXT,
        "init": {"type": "boolean"},
        "restart": {"enum": ["no", "always"]},
        "command": TEXTS,
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "environment": {"type": "object", "additionalProperties": TEXT},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[a-z]+:/"}},
        "stop_grace_period": DURATION,
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
                },
            },
        },
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test"],
            "properties": {
                "test": TEXTS,
                "interval": DURATION,
                "timeout": DURATION,
                "retries": {"type": "integer"},
                "start_period": DURATION,
            },
        },
    },
    "required": ["image", "restart"],
}
COMPOSE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["services"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": TEXT,
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
    },
}


@pytest.fixture
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return read


def test_it_is_a_compose_file(compose: dict[str, Any]) -> None:
    Draft202012Validator(COMPOSE).validate(compose)
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(compose["volumes"]), name
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[needed], name


def test_it_sets_only_what_exists(compose: dict[str, Any]) -> None:
    ours = [service for service in compose["services"].values() if service["image"] == "voiceclone"]
    assert len(ours) == 4
    assert {name for service in ours for name in service["environment"]} <= documented()


def test_it_lets_every_program_of_compose_end_its_group(compose: dict[str, Any]) -> None:
    assert all(service["init"] for service in compose["services"].values() if service["image"] == "voiceclone")


def test_it_copies_what_the_image_needs() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    let_in = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert names == let_in
    assert all((ROOT / name).exists() for name in names)


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_becomes_each_program_by_name(tmp_path: Path, name: str) -> None:
    """With settings that end it at once, in its own words: it was really that program that started."""
    ended = started("-m", "voiceclone_site.supervisor", name, DATA_DIR=str(tmp_path), SECRET_KEY="weak", PORT="1")
    assert ended.returncode != 0
    assert "There is no program" not in ended.stdout
    assert "SECRET_KEY is weak" in ended.stderr + ended.stdout


def test_it_says_which_programs_there_are(tmp_path: Path) -> None:
    ended = started("-m", "voiceclone_site.supervisor", "wrok", DATA_DIR=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (
        2,
        "There is no program called 'wrok'. The programs are sandbox, worker, worker_slow, web.\n",
    )


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on this machine")
def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    for unit in UNITS:
        # Its own Python and folder are on the machine that it is for.
        text = unit.read_text().replace("/srv/voiceclone/.venv/bin/python", sys.executable)
        (tmp_path / unit.name.replace("@.", "@worker.")).write_text(text)
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_it_is_named_in_the_operators_page() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    for name in ("compose.yaml", "voiceclone@", "voiceclone-prepare", "voiceclone-spool.conf"):
        assert name in page
