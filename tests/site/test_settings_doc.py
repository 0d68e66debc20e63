from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# What the scripts read before Python runs: script/server and script/test say how.
OF_THE_SCRIPTS = {"PYTHON"}


def read_by_settings() -> set[str]:
    """Every NAME in a call such as `env.str("NAME")` of settings.py."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "voiceclone_site" / "settings.py").read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "env"
            and node.func.attr != "email_url_config"
        ):
            assert isinstance(node.args[0], ast.Constant)
            names.add(str(node.args[0].value))
    return names


def documented() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))


def test_it_documents_every_name_that_is_read() -> None:
    assert read_by_settings() - documented() == set()


def test_it_documents_no_name_that_nothing_reads() -> None:
    assert documented() - read_by_settings() - OF_THE_SCRIPTS == set()
