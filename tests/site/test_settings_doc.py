from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


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


def read_by_what_starts_it() -> set[str]:
    """`os.environ.get("NAME")` in the supervisor and the scripts, `${NAME:-}` in the shell ones."""
    starters = [*(ROOT / "voiceclone_site" / "supervisor").rglob("*.py"), *(ROOT / "script").iterdir()]
    text = "\n".join(path.read_text() for path in starters if path.is_file())
    return set(re.findall(r"environ(?:\.get\(|\[)[\"'](\w+)", text)) | set(re.findall(r"\$\{(\w+):-", text))


def documented() -> set[str]:
    return set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))


def test_it_documents_every_name_that_is_read() -> None:
    assert (read_by_settings() | read_by_what_starts_it()) - documented() == set()


def test_it_documents_no_name_that_nothing_reads() -> None:
    assert documented() - read_by_settings() - read_by_what_starts_it() == set()
