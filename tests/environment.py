"""The environment of a test run, set before Django reads its settings (`-p tests.environment` in pyproject.toml).

Whatever the shell exports, tests run with a folder of their own and with no provider's key. DATABASE_URL and REDIS_URL stay: they
choose what the suite runs on. Every process of pytest-xdist has its own folder and its own Redis database; another folder is the
whole run's, for what is made once for all of them.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

SETTINGS = Path(__file__).resolve().parent.parent / "voiceclone_site" / "settings.py"
LEFT_ALONE = {"DATABASE_URL", "REDIS_URL", "LOG_LEVEL"}


def _redis_of(worker: int, url: str) -> str:
    """The address of one process's own database: as many numbers behind the given one as the process is behind the first."""
    parts = urlsplit(url)
    first = int(parts.path.strip("/") or 0)
    return urlunsplit(parts._replace(path=f"/{first + worker}"))


for name in {*re.findall(r"\benv\.\w+\(\s*\"(\w+)\"", SETTINGS.read_text())} - LEFT_ALONE:
    os.environ.pop(name, None)

# Where the shell forbids it, pytest would rewrite every test anew in each of its processes, and each portal that is started would
# compile itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if "VOICECLONE_TEST_RUN" not in os.environ:
    os.environ["VOICECLONE_TEST_RUN"] = tempfile.mkdtemp(prefix="voiceclone-run-")
    atexit.register(shutil.rmtree, os.environ["VOICECLONE_TEST_RUN"], ignore_errors=True)
OF_THIS_RUN = Path(os.environ["VOICECLONE_TEST_RUN"])

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="voiceclone-tests-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)
if os.environ.get("REDIS_URL"):
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.environ["REDIS_URL"] = _redis_of(number, os.environ["REDIS_URL"])
