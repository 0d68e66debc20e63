from tests.cast import (
    alice,
    alice_api,
    alice_client,
    charlie,
    charlie_api,
    charlie_client,
    dana,
    dana_client,
    nobody_api,
    visitor,
)
from tests.sample_server import samples
from tests.sandbox_server import sandbox, sandbox_server
from tests.surroundings import _surroundings

__all__ = [
    "_surroundings",
    "alice",
    "alice_api",
    "alice_client",
    "charlie",
    "charlie_api",
    "charlie_client",
    "dana",
    "dana_client",
    "nobody_api",
    "samples",
    "sandbox",
    "sandbox_server",
    "visitor",
]
