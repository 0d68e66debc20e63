"""Which tests run in one process of pytest-xdist: those that share a portal of their own processes, of which each would start
another, and those that together would ask a PostgreSQL for more than the hundred connections that it gives by default.

By path, in a scheduler: pytest 9.2 no longer heeds what pytest-xdist 3.8 does with its mark `xdist_group`, and says nothing.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TOGETHER = {
    "tests/browser/": "browser",
    "tests/dialects/": "dialects",
    "tests/processes/test_environment.py": "starting",
    "tests/processes/test_killing.py": "connections",
    "tests/processes/test_readme.py": "starting",
    "tests/processes/test_relay.py": "connections",
    "tests/processes/test_starting.py": "starting",
    "tests/voices/test_ledger.py": "connections",
}


def group_of(nodeid: str) -> str:
    """One that is in no group is a group of its own."""
    return next((group for beginning, group in TOGETHER.items() if nodeid.startswith(beginning)), nodeid)


class Together(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)
