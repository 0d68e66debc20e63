"""The main job, by somebody with a browser: sign up, clone a voice, hear it speak."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SECONDS, Home
from tests.browser.speech import listen, spoken, until
from tests.listening import listen as hear
from tests.processes.started import Started
from tests.recordings import CHINESE_WOMAN, recording, silence

OpenPage = Callable[..., Page]

WEATHER = "今天天气怎么样？"
STORY = "从前有一座山，山上有一座庙，庙里有一个老和尚，正在给小和尚讲故事。"


def sign_up(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name=re.compile("立即体验|Try it now")).click()
    page.fill("input[name=email]", f"{secrets.token_hex(6)}@example.com")
    page.fill("input[name=password1]", "kettle-under-the-bridge")
    page.fill("input[name=password2]", "kettle-under-the-bridge")
    page.click("main button[type=submit]")
    page.wait_for_url("**/dashboard/")


def fill_in(page: Page, *, name: str) -> None:
    page.fill("input[name=name]", name)
    page.check("input[name=consent]")


def send(page: Page) -> None:
    page.click("[data-send] button[type=submit]")


def test_it_goes_from_signing_up_to_hearing_a_cloned_voice(open_page: OpenPage, site: Started, sample: Path) -> None:
    page = open_page()
    sign_up(page)
    page.get_by_role("link", name="新建音色").click()
    page.set_input_files("input[type=file]", sample)
    expect(page.locator("[data-verdict]")).to_have_text("时长 12.0 秒，正合适。")
    fill_in(page, name="小雅")
    expect(page.locator("[data-step].done")).to_have_count(3)
    send(page)
    expect(page.locator("[data-state=Success]")).to_be_visible(timeout=SECONDS)

    site.sandbox.configure(speed=4)
    site.sandbox.ledger.clear()
    page.get_by_role("link", name="语速、音高等设置").click()
    page.get_by_role("button", name=WEATHER).click()
    expect(page.locator("#count")).to_contain_text("15 / ")
    listen(page)
    page.click("[data-speak]")
    heard = spoken(page)

    last_frame = site.sandbox.ledger.answers("task-finished")[0].at
    assert heard.first_chunk_at < last_frame
    assert 0 < heard.first_sound_seconds < 5
    assert heard.end["ended"] == "Success"
    expect(page.locator("[data-status]")).to_have_text("合成完毕。")
    expect(page.locator("[data-stage]")).to_contain_text("由人工智能合成")

    player = page.locator("[data-result] audio")
    kept = page.request.get(str(player.get_attribute("src"))).body()
    audio = hear(kept)
    assert audio.duration == pytest.approx(heard.end["received"], abs=0.05)
    assert audio.loudness > -35
    assert audio.f0 == pytest.approx(hear(recording(CHINESE_WOMAN)).f0, rel=0.10)
    until(page, "document.querySelector('[data-result] audio').duration > 0.5")

    page.goto("/history/")
    expect(page.locator("article.job")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("下载")).click()
    assert download.value.suggested_filename.endswith(".wav")


def test_it_records_with_the_microphone(open_page: OpenPage) -> None:
    page = open_page(width=390)
    sign_up(page)
    page.goto("/voices/new/")
    page.click("[data-record]")
    expect(page.locator("[data-record]")).to_have_attribute("aria-label", "停止录音")
    until(page, "/scaleX\\(0\\.[3-9]/.test(document.querySelector('[data-meter]').style.transform)")
    expect(page.locator("[data-timer]")).to_have_text("0:13", timeout=SECONDS)
    page.click("[data-record]")
    expect(page.locator("[data-verdict]")).to_contain_text("正合适")
    expect(page.locator("[data-chosen] audio")).to_be_visible()
    fill_in(page, name="录音")
    send(page)
    expect(page.locator("[data-state=Success]")).to_be_visible(timeout=SECONDS)
    until(page, "document.querySelector('main audio').duration > 11")


def test_it_keeps_the_recording_and_every_word_when_something_is_wrong(
    open_page: OpenPage, home: Home, tmp_path: Path
) -> None:
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(silence(12))
    page = open_page(language="en-US", home=home)
    page.goto("/voices/new/")
    page.set_input_files("input[type=file]", quiet)
    expect(page.locator("[data-verdict]")).to_contain_text("Nothing can be heard in it.")
    fill_in(page, name="Grandmother")
    send(page)
    expect(page.get_by_text("The recording is silent")).to_be_visible()
    assert page.input_value("input[name=name]") == "Grandmother"
    assert page.is_checked("input[name=consent]")
    assert page.evaluate("document.querySelector('input[type=file]').files[0].name") == "quiet.wav"
    page.get_by_role("button", name="Take another").click()
    expect(page.locator("[data-dropzone]")).to_be_visible()


def test_it_refuses_a_file_that_is_too_large_before_it_is_sent(open_page: OpenPage, home: Home, tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(26 * 1024 * 1024)
    page = open_page(language="en-US", home=home)
    page.goto("/voices/new/")
    page.set_input_files("input[type=file]", large)
    expect(page.locator("[data-file-trouble]")).to_contain_text("This file is larger than 25 MB.")
    assert page.evaluate("document.querySelector('input[type=file]').files.length") == 0


def test_it_says_why_it_cannot_record_on_an_insecure_address(open_page: OpenPage, home: Home) -> None:
    page = open_page(language="en-US", home=home)
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.goto("/voices/new/")
    expect(page.locator("[data-trouble]")).to_contain_text("Recording needs an address that begins with https")
    expect(page.locator("[data-record]")).to_be_disabled()


def test_it_takes_a_file_that_is_dropped(open_page: OpenPage, home: Home, sample: Path) -> None:
    page = open_page(home=home)
    page.goto("/voices/new/")
    page.evaluate(
        """(bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "dropped.wav", { type: "audio/wav" }));
          document.querySelector("[data-dropzone]").dispatchEvent(
            new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        list(sample.read_bytes()[:200_000]),
    )
    expect(page.locator("[data-name]")).to_have_text("dropped.wav")


# --- speaking --------------------------------------------------------------------------------------------------------


def speak(page: Page, home: Home, text: str, *, audio_format: str = "") -> None:
    page.goto(f"/speak/?voice={home.voice}")
    page.fill("#text", text)
    if audio_format:
        page.select_option("fieldset:not([hidden]) select[name$='-audio_format']", audio_format)
    listen(page)
    page.click("[data-speak]")


def test_it_stops_when_asked_and_counts_only_what_was_spoken(open_page: OpenPage, site: Started, home: Home) -> None:
    site.sandbox.configure(speed=1)
    page = open_page(language="en-US", home=home)
    speak(page, home, STORY * 3)
    until(page, "window.speechEvents.some(([kind]) => kind === 'first')")
    page.click("[data-stop]")
    assert spoken(page).end["stopped"]
    expect(page.locator("[data-status]")).to_contain_text("Stopped.")
    expect(page.locator("[data-speak]")).to_be_enabled()
    page.goto("/history/")
    page.wait_for_selector("article.job[data-job-state=Cancelled]")


@pytest.mark.parametrize(("audio_format", "sounds_at_once"), [("mp3", True), ("pcm", True), ("opus", False)])
def test_it_plays_every_format(open_page: OpenPage, home: Home, audio_format: str, sounds_at_once: bool) -> None:
    page = open_page(home=home)
    speak(page, home, WEATHER, audio_format=audio_format)
    heard = spoken(page)
    assert heard.end["ended"] == "Success"
    assert (heard.end["received"] > 0.8) == sounds_at_once
    if audio_format == "opus":
        until(page, "document.querySelector('[data-result] audio').currentTime > 0.2")


def test_it_says_that_the_transfer_broke_and_what_the_provider_said(
    open_page: OpenPage, site: Started, home: Home
) -> None:
    site.sandbox.configure(speed=4)
    site.sandbox.fail(operation="synthesis", how="close", at="after")
    page = open_page(language="en-US", home=home)
    speak(page, home, STORY)
    heard = spoken(page)
    assert heard.end["ended"] == "Failed"
    expect(page.locator("[data-stage] > [data-trouble]")).to_contain_text("broke off before the end")
    expect(page.locator("[data-result]")).to_contain_text("The connection to the provider was lost")


def test_it_says_what_was_refused_before_any_sound(open_page: OpenPage, home: Home) -> None:
    page = open_page(language="en-US", home=home)
    speak(page, home, "   ")
    assert not spoken(page).end["job"]
    expect(page.locator("[data-stage] > [data-trouble]")).to_have_text("Please enter some text to speak.")


def test_it_says_that_the_session_has_ended(open_page: OpenPage, home: Home) -> None:
    page = open_page(language="en-US", home=home)
    page.goto(f"/speak/?voice={home.voice}")
    page.context.clear_cookies(name="sessionid")
    page.fill("#text", "Hello")
    listen(page)
    page.click("[data-speak]")
    spoken(page)
    expect(page.locator("[data-stage] > [data-trouble]")).to_contain_text("Your session has ended.")


def test_it_tries_a_voice_on_its_own_page(open_page: OpenPage, home: Home) -> None:
    page = open_page(home=home)
    page.goto(f"/voices/{home.voice}/")
    page.fill("#try-text", WEATHER)
    listen(page)
    page.click("[data-speak]")
    assert spoken(page).end["ended"] == "Success"


def test_it_speaks_in_the_background_and_follows_along(open_page: OpenPage, home: Home) -> None:
    page = open_page(language="en-US", home=home)
    page.goto(f"/speak/?voice={home.voice}")
    page.fill("#text", STORY)
    page.click("[data-background]")
    page.wait_for_url("**/history/*/")
    expect(page.locator("article.job[data-job-state=Success] audio")).to_be_visible(timeout=SECONDS)
