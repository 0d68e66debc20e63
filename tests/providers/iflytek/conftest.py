from __future__ import annotations

from collections.abc import Iterator

import pytest

from voices.providers.iflytek.auth import forget_tokens


@pytest.fixture(autouse=True)
def _no_tokens() -> Iterator[None]:
    """No test meets a token that another one fetched."""
    forget_tokens()
    yield
    forget_tokens()
