"""The caches of the settings count exactly, whoever else counts at the same time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voiceclone_site.caches import CountingFiles, CountingRedis

Counting = CountingFiles | CountingRedis


@pytest.fixture(params=["files", "redis"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Counting:
    if request.param == "files":
        return CountingFiles(str(tmp_path / "cache"), {})
    if not os.environ.get("REDIS_URL"):
        pytest.skip("REDIS_URL is not set")
    made = CountingRedis(os.environ["REDIS_URL"], {"KEY_PREFIX": tmp_path.name})
    made.clear()
    return made


def test_it_counts_each_once_however_many_count_at_the_same_time(cache: Counting) -> None:
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda _n: cache.count("k", 1, seconds=86_400), range(100)))
    assert sorted(counts) == list(range(1, 101))


def test_it_counts_several_in_one_go_and_each_key_for_itself(cache: Counting) -> None:
    assert cache.count("k", 3, seconds=86_400) == 3
    assert cache.count("k", 2, seconds=86_400) == 5
    assert cache.count("other", 1, seconds=86_400) == 1


def test_it_forgets_its_counts_with_all_else(cache: Counting) -> None:
    cache.count("k", 3, seconds=86_400)
    cache.clear()
    assert cache.count("k", 1, seconds=86_400) == 1


def test_files_of_times_that_are_over_are_removed(tmp_path: Path) -> None:
    cache = CountingFiles(str(tmp_path), {})
    old = tmp_path / "counts" / "1" / "a"
    old.parent.mkdir(parents=True)
    old.touch()
    cache.count("k", 1, seconds=120)
    assert not old.parent.exists()
