from __future__ import annotations

from collections.abc import Iterator

import pytest

from voices.providers import http, ws


@pytest.fixture(autouse=True)
def _cold_connections() -> Iterator[None]:
    """No test meets a connection that another one warmed."""
    yield
    http.close_connections()
    ws.close_connections()
