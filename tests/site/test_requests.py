from __future__ import annotations

import pytest
from django.test import Client


@pytest.mark.usefixtures("db")
def test_it_numbers_every_request() -> None:
    first, second = (Client().get("/livez")["X-Request-Id"] for _time in range(2))
    assert len(first) == 16
    assert first != second


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("given", ["7f3a9c2e-1b4d", "trace.0001:abcd", "a" * 64])
def test_it_keeps_the_number_that_a_proxy_gave(given: str) -> None:
    assert Client().get("/livez", headers={"x-request-id": given})["X-Request-Id"] == given


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "given", ["short", "a" * 65, "with space", "line\nbreak-line", "<script>alert(1)</script>", "日本語日本語日本"]
)
def test_it_makes_its_own_where_the_given_one_is_not_sane(given: str) -> None:
    assert Client().get("/livez", headers={"x-request-id": given})["X-Request-Id"] != given


@pytest.mark.usefixtures("db")
def test_it_tells_the_browser_what_our_pages_may_use() -> None:
    answer = Client().get("/accounts/login/")
    assert "microphone=(self)" in answer["Permissions-Policy"]
    assert "camera=()" in answer["Permissions-Policy"]
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
