"""The table of what runs together names what is there, and keeps each group in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.together import TOGETHER, group_of, pytest_xdist_make_scheduler

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("beginning", TOGETHER)
def test_it_names_what_is_there(beginning: str) -> None:
    assert (ROOT / beginning).exists()


def test_all_of_a_group_are_one_unit_of_work_and_others_are_their_own() -> None:
    starting = ["tests/processes/test_starting.py::test_a", "tests/processes/test_readme.py::test_b[x::y]"]
    assert {group_of(nodeid) for nodeid in starting} == {"starting"}
    alone = "tests/voices/test_api.py::test_c"
    assert group_of(alone) == alone


def test_a_run_of_several_processes_is_scheduled_by_it(request: pytest.FixtureRequest) -> None:
    hooks = request.config.hook.pytest_xdist_make_scheduler.get_hookimpls()
    assert pytest_xdist_make_scheduler in [hook.function for hook in hooks]
