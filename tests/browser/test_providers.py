"""A new user clones a voice at each provider, and speaks with those that can; the forms as their providers differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SECONDS, Home
from tests.browser.speech import listen, spoken, until
from tests.browser.test_journey import fill_in, send, sign_up
from tests.processes.started import Started

OpenPage = Callable[..., Page]

WEATHER = "今天天气怎么样？"
ALIYUN, IFLYTEK, QINIU = "aliyun/cosyvoice-v3-flash", "iflytek/omni_v1", "qiniu/QN_ACV"


def new_voice(page: Page, engine: str, *, name: str = "小雅") -> None:
    page.goto("/voices/new/")
    page.select_option("select[name=engine]", engine)
    fill_in(page, name=name)


def text_shown(page: Page) -> str:
    return page.locator("[data-text]:visible").inner_text()


def speak(page: Page) -> None:
    page.get_by_role("link", name=re.compile("语速、音高等设置")).click()
    page.fill("#text", WEATHER)
    listen(page)
    page.click("[data-speak]")
    assert spoken(page).end["ended"] == "Success"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_new_user_reads_a_chosen_text_aloud_and_the_voice_speaks(
    open_page: OpenPage, site: Started, width: int
) -> None:
    page = open_page(width=width)
    sign_up(page)
    new_voice(page, IFLYTEK)
    page.locator("[data-texts]").scroll_into_view_if_needed()
    first = text_shown(page)
    page.get_by_role("button", name="换一段").click()
    chosen = text_shown(page)
    assert chosen != first
    page.click("[data-record]")
    expect(page.locator("[data-text-choice]")).to_be_hidden()
    expect(page.locator("[data-text]:visible")).to_be_in_viewport()
    expect(page.locator("[data-timer]")).to_have_text("0:09", timeout=SECONDS)
    page.click("[data-record]")
    expect(page.locator("[data-verdict]")).to_contain_text("正合适")
    send(page)
    expect(page.locator("[data-state=Success]")).to_be_visible(timeout=SECONDS)
    expect(page.locator("main")).to_contain_text(chosen)
    assert site.sandbox.iflytek_tasks()[-1]["order"]["sex"] == 1
    speak(page)


def test_a_new_user_clones_and_speaks_where_any_speech_will_do(open_page: OpenPage, sample: Path) -> None:
    page = open_page()
    sign_up(page)
    new_voice(page, ALIYUN)
    page.set_input_files("input[type=file]", sample)
    expect(page.locator("[data-texts-of]:visible")).to_have_count(0)
    send(page)
    expect(page.locator("[data-state=Success]")).to_be_visible(timeout=SECONDS)
    speak(page)


def test_a_new_user_hears_the_demo_of_a_voice_that_cannot_speak(open_page: OpenPage, sample: Path) -> None:
    page = open_page()
    sign_up(page)
    new_voice(page, QINIU)
    expect(page.get_by_text("七牛云没有公开用复刻音色合成任意文本的接口").first).to_be_visible()
    page.set_input_files("input[type=file]", sample)
    send(page)
    expect(page.locator("[data-state=Success]")).to_be_visible(timeout=SECONDS)
    demo = page.locator("audio[src$='/demo/']")
    demo.evaluate("(player) => player.play()")
    until(page, "document.querySelector(\"audio[src$='/demo/']\").currentTime > 0.2")
    expect(page.locator("[data-speak]")).to_have_count(0)


def test_it_keeps_what_was_typed_and_recorded_when_the_provider_is_changed(
    open_page: OpenPage, home: Home, sample: Path
) -> None:
    page = open_page(home=home)
    new_voice(page, IFLYTEK, name="祖母")
    page.select_option("select[name='iflytek.omni_v1-sex']", "female")
    page.set_input_files("input[type=file]", sample)
    for engine in (QINIU, ALIYUN, IFLYTEK):
        page.select_option("select[name=engine]", engine)
    assert page.input_value("input[name=name]") == "祖母"
    assert page.input_value("select[name='iflytek.omni_v1-sex']") == "female"
    assert page.evaluate("document.querySelector('input[type=file]').files.length") == 1
    expect(page.locator("[data-texts-of]:visible")).to_have_count(1)


def test_it_says_that_the_texts_could_not_be_fetched_and_fetches_them_when_asked_again(
    open_page: OpenPage, home: Home
) -> None:
    page = open_page(home=home)

    def cut(route: Route) -> None:
        route.abort()

    page.route("**/voices/new/texts/**", cut)
    new_voice(page, IFLYTEK)
    page.locator("[data-texts-of]").scroll_into_view_if_needed()
    expect(page.locator("[data-texts-unreachable]")).to_be_visible()
    page.unroute("**/voices/new/texts/**")
    page.locator("[data-texts-again]").click()
    expect(page.locator("[data-text]:visible")).to_be_visible()
    expect(page.locator("[data-texts-unreachable]")).to_be_hidden()


def test_it_reads_along_with_a_stock_voice(open_page: OpenPage, home: Home) -> None:
    page = open_page(language="en-US", home=home)
    page.goto("/voices/")
    page.get_by_role("link", name="Stock voices").click()
    page.fill("input[name=q]", "Lingxiaoxuan")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=re.compile("Speak with .*assistant")).click()
    page.fill("#text", WEATHER)
    page.locator("fieldset[data-engine]:not([hidden]) summary").click()
    page.select_option("fieldset[data-engine]:not([hidden]) select[name$='-rhy']", "1")
    listen(page)
    page.click("[data-speak]")
    assert spoken(page).end["ended"] == "Success"
    line = page.locator("[data-timed]")
    expect(line.locator("rt")).to_have_count(7)
    line.locator("ruby").nth(3).click()
    expect(line.locator("ruby.now")).to_have_count(1)


@pytest.mark.parametrize("engine", [ALIYUN, IFLYTEK, QINIU])
def test_it_takes_over_a_voice_only_when_the_provider_knows_it(open_page: OpenPage, home: Home, engine: str) -> None:
    page = open_page(home=home)
    page.goto("/voices/import/")
    fill_in(page, name="别处的音色")
    page.select_option("select[name=engine]", engine)
    page.fill("input[name=remote_id]", "nobody-knows-this-one")
    page.get_by_role("button", name="导入").click()
    expect(page.locator("[data-state=Failed]")).to_be_visible(timeout=SECONDS)
    expect(page.locator("#voice-state .trouble p").first).to_contain_text("服务商")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_it_finds_an_error_code(open_page: OpenPage, language: str, width: int) -> None:
    page = open_page(language=language, width=width)
    page.goto("/help/errors/")
    page.fill("#q", "10019")
    page.keyboard.press("Enter")
    expect(page.locator("code[id]")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
