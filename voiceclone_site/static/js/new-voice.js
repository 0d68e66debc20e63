// The form of a new voice, and of a new recording for one: what depends on what, and what is seen while it is sent.

import { choose, mountSliders } from "./parameters.js";
import { mountReading, offerReading } from "./reading.js";
import { adapt, hasRecording, mountRecording } from "./recording.js";

function mount(form) {
  if (form.dataset.mounted) return;
  form.dataset.mounted = "true";
  const recording = form.querySelector("[data-recording]");
  const engine = form.querySelector("select[name=engine]");
  const language = form.querySelector("select[name=language]");
  const known = JSON.parse(document.getElementById("engines")?.textContent || "{}");
  mountRecording(recording);
  mountReading(recording);
  mountSliders(form);

  const engineChanged = () => {
    choose(form, engine.value);
    if (known[engine.value]) adapt(recording, known[engine.value]);
    const spoken = known[engine.value]?.languages || [];
    for (const option of language.options) {
      option.hidden = !spoken.includes(option.value);
      option.disabled = option.hidden;
    }
    if (language.selectedOptions[0]?.disabled) language.value = spoken[0];
    languageChanged();
  };
  const languageChanged = () =>
    offerReading(recording, {
      provider: engine ? known[engine.value]?.provider : form.dataset.provider,
      language: language ? language.value : form.dataset.language,
    });
  engine?.addEventListener("change", engineChanged);
  language?.addEventListener("change", languageChanged);
  if (engine) engineChanged();
  else languageChanged();

  const done = {
    name: () => Boolean(form.elements.name?.value.trim()),
    sample: () => hasRecording(recording),
    consent: () => form.elements.consent.checked,
  };
  const steps = () => {
    for (const step of form.querySelectorAll("[data-step]")) step.classList.toggle("done", done[step.dataset.step]());
  };
  for (const kind of ["input", "change", "recording:changed"]) form.addEventListener(kind, steps);
  steps();
  mountSending(form);
}

function mountSending(form) {
  const sending = form.querySelector("[data-sending]");
  const words = form.querySelector("[data-sending-words]");
  const bar = form.querySelector("[data-sending-bar]");
  const show = (sentence, share) => {
    sending.hidden = false;
    if (words.textContent !== sentence) words.textContent = sentence;
    bar.style.width = `${Math.round(share * 100)}%`;
  };
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt === form) show(words.dataset.uploading, 0);
  });
  form.addEventListener("htmx:xhr:progress", (event) => {
    const { elt, loaded, total } = event.detail;
    if (elt === form && total) show(loaded < total ? words.dataset.uploading : words.dataset.checking, loaded / total);
  });
  for (const kind of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    form.addEventListener(kind, (event) => {
      if (event.detail.elt === form) show(words.dataset.failed, 0);
    });
  }
}

function mountAll() {
  for (const form of document.querySelectorAll("[data-new-voice]")) mount(form);
}

document.addEventListener("htmx:afterSettle", () => {
  mountAll();
  document.querySelector("[data-wrong]")?.focus();
});
mountAll();
