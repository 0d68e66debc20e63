"""What every page owes its reader: no sideways scrolling, a name for every control, both languages, light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Home, log_in
from tests.browser.test_journey import sign_up
from tests.processes.started import Started

OpenPage = Callable[..., Page]

PAGES = (
    "/",
    "/dashboard/",
    "/voices/",
    "/voices/new/",
    "/voices/stock/",
    "/voices/import/",
    "/help/errors/",
    "/voices/{voice}/",
    "/speak/",
    "/history/",
    "/account/",
    "/account/tokens/",
    "/quota/",
    "/webhooks/",
    "/webhooks/{webhook}/",
    "/webhooks/{webhook}/delete/",
    "/help/api/",
    "/help/api/voices/",
    "/help/api/webhooks/",
    "/help/api/operate/",
    "/nowhere/",
)

_NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a[href]")]
  .filter((control) => control.type !== "hidden" && control.offsetParent !== null)
  .filter((control) => ![control.ariaLabel, control.title, control.textContent, ...[...(control.labels || [])]
    .map((label) => label.textContent)].some((words) => words && words.trim()))
  .map((control) => control.outerHTML)"""


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_it_fits_and_names_every_control(open_page: OpenPage, home: Home, language: str, width: int) -> None:
    page = open_page(language=language, width=width, home=home)
    for address in PAGES:
        page.goto(address.format(voice=home.voice, webhook=home.webhook))
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
        assert page.evaluate(_NAMELESS) == [], address
        assert page.title().endswith("声音复刻平台" if language == "zh-CN" else "Voice Cloning Portal"), address


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_it_fits_a_visitor_s_phone(open_page: OpenPage, language: str) -> None:
    page = open_page(language=language, width=360)
    for address in ("/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address


def test_it_changes_the_language_and_stays_where_it_was(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)  # the choice is kept with the person, and the others read in their browser's language
    page.goto("/account/tokens/")
    page.get_by_role("button", name="English").click()
    page.wait_for_url("**/account/tokens/")
    expect(page.get_by_role("heading", name="API tokens", exact=True)).to_be_visible()
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("heading", name="API 令牌", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_as_light_as_the_system(open_page: OpenPage, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
    luminance = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (luminance > 128) == (scheme == "light")


def test_it_can_be_walked_with_the_keyboard(open_page: OpenPage) -> None:
    page = open_page(language="en-US")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


ADMIN = (
    "/admin/status/",
    "/admin/voices/voiceclone/",
    "/admin/synthesis/synthesisjob/",
    "/admin/voices/provideraccount/1/change/",
)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_the_operator_s_pages_fit_and_name_every_control(
    open_page: OpenPage, started: Started, language: str, width: int
) -> None:
    page = open_page(language=language, width=width)
    email, password = re.findall(r"Operator login: +(\S+) +(\S+)", started.text)[0]
    log_in(page, email=email, password=password)
    for address in ADMIN:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
        assert page.title().endswith("声音复刻平台" if language == "zh-CN" else "Voice Cloning Portal"), address
    page.goto("/admin/status/")
    assert page.evaluate(_NAMELESS) == []
