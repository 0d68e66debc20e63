"""From the click to the sound, in Chromium: `python -m tests.benchmarks.first_sound [--clicks 12]`.

A whole portal with its sandbox, and a browser that is logged in and clicks "speak". The clock starts in the click's own event and
stops with the first sample above -50 dB that the page hands to the loudspeaker; for MP3, which the browser plays itself, with its
event `playing`. Cold: a page just opened, and the provider has closed every connection. Warm: the same page again, a connection
waits. Next to it how long the sandbox took from the order to its first audio, by its ledger, and how much silence that begins
with.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.browser.conftest import CHROMIUM, Home, home_of
from tests.listening import listen
from tests.processes.eventually import eventually
from tests.processes.started import Started, portal
from tests.recordings import CHINESE_WOMAN, recording

WEATHER = "今天天气怎么样？"
AUDIBLE = 0.00316
IMPATIENT, AS_EVER = 0.3, 60.0
"""Seconds after which the sandbox closes a connection that waits for its next task."""

# Everything that goes to the loudspeaker goes by an analyser too, which is looked at as often as the page's thread allows.
LISTEN = """(() => {
  const heard = (window.firstSound = { clicked: 0, sounded: 0 });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-speak]")) Object.assign(heard, { clicked: performance.now(), sounded: 0 });
  }, true);
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode) tap(this, to.context);
    return connect.call(this, to, ...more);
  };
  function tap(source, context) {
    if (!context.tapped) {
      context.tapped = new AnalyserNode(context, { fftSize: 2048 });
      watch(context.tapped, context);
    }
    connect.call(source, context.tapped);
  }
  function watch(analyser, context) {
    const samples = new Float32Array(analyser.fftSize);
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      analyser.getFloatTimeDomainData(samples);
      const place = samples.findIndex((value) => Math.abs(value) > 0.00316);
      if (place < 0) {
        if (context.state !== "closed") window.setTimeout(() => channel.port2.postMessage(0), 1);
        return;
      }
      const ago = (samples.length - place) / context.sampleRate;
      heard.sounded ||= performance.now() + ((context.outputLatency || 0) - ago) * 1000;
    };
    channel.port2.postMessage(0);
  }
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    this.addEventListener("playing", () => (heard.sounded ||= performance.now()), { once: true });
    return play.call(this);
  };
})()"""


@dataclass(frozen=True)
class Click:
    """Milliseconds from the click to the sound, from the provider's order to its first audio, and of the silence in that; whether
    a connection waited."""

    sound: float
    provider: float
    silence: float
    was_warm: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=12)
    clicks: int = parser.parse_args().clicks
    with tempfile.TemporaryDirectory() as folder, portal(Path(folder)) as started, browser(started) as (context, home):
        print(
            f"{'ms':<12}{'n':>4}{'median':>9}{'p95':>9}{'provider, median':>19}{'p95':>9}{'silence':>9}{'the rest':>11}"
        )
        for audio_format in ("wav", "mp3"):
            print(row(f"{audio_format}, cold", cold(context, started, home, audio_format, clicks)), flush=True)
            page = page_of(context, home, audio_format)
            speak(page, started)
            warm = [speak(page, started) for _click in range(clicks)]
            print(row(f"{audio_format}, warm", [click for click in warm if click.was_warm]), flush=True)
            page.close()


def cold(context: BrowserContext, started: Started, home: Home, audio_format: str, clicks: int) -> list[Click]:
    """Each on a page of its own. What waited before the provider grew impatient is used up by the first of them."""
    started.sandbox.configure(between_tasks_seconds=IMPATIENT)
    found: list[Click] = []
    for _click in range(2 * clicks + 10):
        if len(found) == clicks:
            break
        page = page_of(context, home, audio_format)
        time.sleep(2 * IMPATIENT)  # until what was kept has been closed
        found += [click for click in [speak(page, started)] if not click.was_warm]
        page.close()
    started.sandbox.configure(between_tasks_seconds=AS_EVER)
    return found


def page_of(context: BrowserContext, home: Home, audio_format: str) -> Page:
    page = context.new_page()
    page.goto(f"/speak/?voice={home.voice}")
    page.fill("#text", WEATHER)
    page.select_option("fieldset:not([hidden]) select[name$='-audio_format']", audio_format)
    return page


def speak(page: Page, started: Started) -> Click:
    """Click, and wait until all has been said and the next click may come."""
    sandbox = started.sandbox
    # It tells when it begins to play, and the silence comes behind that.
    plays_by_itself = page.input_value("fieldset:not([hidden]) select[name$='-audio_format']") == "mp3"
    sandbox.ledger.clear()
    page.click("[data-speak]")
    eventually(lambda: page.evaluate("window.firstSound.sounded"), what="a sound", every=0.02)
    eventually(lambda: page.evaluate("document.querySelector('[data-stop]').hidden"), what="the end", every=0.02)
    told = page.evaluate("window.firstSound")
    (ordered,) = sandbox.ledger.calls("run-task")
    first = sandbox.ledger.answers("audio")[0]
    # The keeper of warm connections may have opened others since.
    handshakes = [entry for entry in sandbox.ledger.calls("handshake") if entry.at <= ordered.at]
    return Click(
        sound=told["sounded"] - told["clicked"],
        provider=(first.at - ordered.at) * 1000,
        silence=0.0 if plays_by_itself else silence_of(page),
        was_warm=not handshakes,
    )


def silence_of(page: Page) -> float:
    """Milliseconds before the first sample above -50 dB of what was kept of it."""
    player = page.locator("[data-result] audio")
    kept = listen(page.request.get(str(player.get_attribute("src"))).body())
    return float(np.argmax(np.abs(kept.samples) > AUDIBLE)) / kept.rate * 1000


@contextmanager
def browser(started: Started) -> Iterator[tuple[BrowserContext, Home]]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        sample = Path(folder) / "reading.wav"
        sample.write_bytes(recording(CHINESE_WOMAN, 12, rate=48000))
        home = home_of(started, chromium, sample, Path(folder) / "state.json")
        context = chromium.new_context(base_url=started.address, locale="zh-CN", storage_state=home.state)
        context.add_init_script(LISTEN)
        yield context, home
        chromium.close()


def row(name: str, clicks: Sequence[Click]) -> str:
    sounds, theirs = [click.sound for click in clicks], [click.provider for click in clicks]
    silence = statistics.median(click.silence for click in clicks)
    rest = statistics.median(click.sound - click.provider - click.silence for click in clicks)
    return (
        f"{name:<12}{len(clicks):>4}{statistics.median(sounds):>9.0f}{p95(sounds):>9.0f}"
        f"{statistics.median(theirs):>19.0f}{p95(theirs):>9.0f}{silence:>9.0f}{rest:>11.0f}"
    )


def p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]


if __name__ == "__main__":
    main()
