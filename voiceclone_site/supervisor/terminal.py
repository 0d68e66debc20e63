"""What the supervisor tells whoever started it."""

from __future__ import annotations

import os
import sys


def say(sentence: str) -> None:
    """Nobody has to listen: a closed terminal must not keep the portal from running, or from stopping properly."""
    try:
        sys.stdout.write(f"{sentence}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
