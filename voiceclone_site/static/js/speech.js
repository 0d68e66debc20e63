// Ask for speech and hear it while it is being made; when it is complete the stored file takes the stream's place.
//
// Events on the form, for whoever measures: speech:chunk, speech:first, speech:end.

import { choose, mountSliders, restore } from "./parameters.js";
import { openSink } from "./sound.js";
import { draw, PEAKS_A_SECOND } from "./wave.js";
import { fill } from "./words.js";

const NOBODY = "00000000-0000-0000-0000-000000000000"; // stands for the job's id in the address that the page gives us
const TYPES = { wav: "audio/wav", mp3: "audio/mpeg", opus: "audio/ogg", pcm: "audio/L16" };

function mount(form) {
  const stage = form.querySelector("[data-stage]");
  const words = stage.dataset;
  const find = (name) => stage.querySelector(`[data-${name}]`);
  const speakButton = form.querySelector("[data-speak]");
  const stopButton = form.querySelector("[data-stop]");
  const voice = form.querySelector("select[data-voice]");
  let now = null;

  mountSliders(form);
  voice?.addEventListener("change", () => choose(form, voice.selectedOptions[0].dataset.engine));
  if (voice) choose(form, voice.selectedOptions[0]?.dataset.engine);
  form.querySelector("[data-defaults]")?.addEventListener("click", () => restore(form.querySelector("fieldset:not([hidden])")));
  for (const example of form.querySelectorAll("[data-example]")) {
    example.addEventListener("click", () => {
      const text = form.elements.text;
      text.value = example.textContent;
      text.dispatchEvent(new Event("input", { bubbles: true }));
      text.focus();
    });
  }
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(speakButton);
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter && "background" in event.submitter.dataset) return;
    event.preventDefault();
    speak();
  });
  stopButton.addEventListener("click", () => now?.stop());
  // The stored file and the stream must not sound over each other.
  stage.addEventListener("play", () => now?.silence(), true);

  function chosenFormat() {
    const data = new FormData(form);
    for (const [name, value] of data) if (name.endsWith("-audio_format")) return value;
    return "wav";
  }

  function chosenRate() {
    for (const [name, value] of new FormData(form)) if (name.endsWith("-sample_rate")) return Number(value);
    return 24000;
  }

  async function speak() {
    now?.silence();
    const began = performance.now();
    const abort = new AbortController();
    const sink = openSink(TYPES[chosenFormat()] || "", { sampleRate: chosenRate() });
    const mine = { stopped: false, ended: false, silenced: false };
    mine.silence = () => {
      mine.silenced = true;
      sink.stop();
    };
    mine.stop = () => {
      mine.stopped = !mine.ended;
      mine.silence();
      abort.abort();
    };
    now = mine;
    begin();
    sink.onfirst = (lead) => {
      const seconds = (performance.now() - began) / 1000 + lead;
      find("first").textContent = fill(words.wordsFirst, { seconds: seconds.toFixed(2) });
      status(words.wordsSpeaking);
      tell("first", { seconds });
    };
    const heard = paint(sink, mine, () => now === mine);
    let job = "";
    let trouble = "";
    try {
      const response = await fetch(form.dataset.stream, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/json" },
        signal: abort.signal,
      });
      job = response.headers.get("X-Job-Id") || "";
      if (!job) trouble = await refusal(response);
      else {
        if (!sink.live) status(words.wordsCollecting);
        const follower = follow(job);
        await listen(response.body.getReader(), sink).finally(() => window.clearInterval(follower));
      }
    } catch (error) {
      if (error.name !== "AbortError") trouble = job ? words.wordsBroken : words.wordsUnreachable;
    }
    if (now !== mine) return;
    mine.ended = true;
    speakButton.disabled = false;
    const complete = await finish({ job, trouble, stopped: mine.stopped, sink });
    if (complete && sink.live) {
      status(words.wordsPlaying);
      await heard;
      if (now !== mine) return;
      status(words.wordsDone);
    }
    stopButton.hidden = true;
  }

  /** How far the provider has come with the text, where it tells. */
  function follow(job) {
    return window.setInterval(async () => {
      const answer = await fetch(words.progress.replace(NOBODY, job)).catch(() => null);
      const { percent } = answer?.ok ? await answer.json() : {};
      const share = find("share");
      share.hidden = percent == null;
      if (percent != null) share.value = percent;
    }, 700);
  }

  async function listen(reader, sink) {
    let bytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      sink.push(value);
      tell("chunk", { bytes, at: Date.now() });
    }
    sink.end();
  }

  /** The sentence in a refusal's body. */
  async function refusal(response) {
    if (response.redirected) return words.wordsSession;
    try {
      const { error } = await response.json();
      const more = Object.values(error.fields || {}).flat();
      return more.length ? more.join("\n") : error.message;
    } catch {
      return words.wordsRefused;
    }
  }

  /** Whatever the transfer looked like, the job knows how it ended; show it in the words of the history. True: it is whole. */
  async function finish({ job, trouble, stopped, sink }) {
    let ended = "";
    if (job && !stopped) ended = await show(job);
    // Of a transfer that broke off the books are closed a moment later.
    for (let looks = 0; ended === "Running" && looks < 20; looks += 1) {
      await new Promise((resolve) => window.setTimeout(resolve, 250));
      ended = await show(job);
    }
    if (ended === "Failed" && !trouble) trouble = words.wordsBroken;
    if (trouble) sink.stop();
    find("share").hidden = true;
    status(stopped ? words.wordsStopped : trouble ? "" : words.wordsDone);
    const box = find("trouble");
    box.hidden = !trouble;
    box.textContent = trouble;
    find("live").hidden = Boolean(trouble) && !sink.received();
    if (!trouble && !stopped && !sink.live) play();
    tell("end", { job, trouble, stopped, received: sink.received(), ended });
    return !trouble && !stopped;
  }

  async function show(job) {
    const response = await fetch(words.job.replace(NOBODY, job)).catch(() => null);
    if (!response?.ok) return "";
    const result = find("result");
    result.innerHTML = await response.text();
    window.htmx?.process(result);
    return result.querySelector("[data-job-state]")?.dataset.jobState || "";
  }

  function play() {
    const audio = find("result").querySelector("audio");
    if (!audio) return;
    audio.preload = "auto";
    audio.play().catch(() => status(words.wordsUnplayable));
  }

  function begin() {
    stage.hidden = false;
    find("live").hidden = false;
    find("trouble").hidden = true;
    find("result").replaceChildren();
    find("first").textContent = "";
    find("share").hidden = true;
    status(words.wordsWaiting);
    speakButton.disabled = true;
    stopButton.hidden = false;
  }

  function status(sentence) {
    find("status").textContent = sentence;
  }

  /** Resolves once everything has been heard, or nothing more will be. */
  function paint(sink, mine, current) {
    const canvas = find("wave");
    canvas.hidden = !sink.live;
    return new Promise((resolve) => {
      const frame = () => {
        if (!current() || !sink.live) return resolve();
        draw(canvas, sink.peaks, { played: sink.played() * PEAKS_A_SECOND, least: 4 * PEAKS_A_SECOND });
        find("received").textContent = sink.received().toFixed(1);
        find("played").textContent = sink.played().toFixed(1);
        if (mine.silenced || (mine.ended && sink.played() >= sink.received() - 0.05)) return resolve();
        return window.requestAnimationFrame(frame);
      };
      frame();
    });
  }

  function tell(kind, detail) {
    form.dispatchEvent(new CustomEvent(`speech:${kind}`, { bubbles: true, detail }));
  }
}

for (const form of document.querySelectorAll("[data-speech]")) mount(form);
