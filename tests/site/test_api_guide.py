"""docs/api.md: every address and every scope is in it. Its lines are run in tests/processes/test_readme.py."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.test import Client

from voiceclone_site.accounts.scopes import Scope

GUIDE = Path(settings.BASE_DIR) / "docs" / "api.md"


def test_it_names_every_address(visitor: Client) -> None:
    guide = GUIDE.read_text()
    for path, operations in visitor.get("/api/schema/?format=json").json()["paths"].items():
        for method in {"get", "post", "patch", "delete"} & operations.keys():
            assert f"`{method.upper()} {path.removeprefix('/api/v1')}`" in guide, f"{method} {path}"


def test_it_names_every_scope() -> None:
    for scope in Scope.values:
        assert f"| `{scope}` |" in GUIDE.read_text()
