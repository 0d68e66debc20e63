// What to read aloud while recording: one of the provider's own texts where it compares the recording with one, else anything.

export function mountReading(root) {
  if (root.dataset.readingMounted) return;
  root.dataset.readingMounted = "true";
  root.addEventListener("change", (event) => {
    if (event.target.matches("[data-text-choice]")) show(event.target);
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest("[data-another-text]")) {
      const choice = event.target.closest("[data-texts]").querySelector("[data-text-choice]");
      choice.selectedIndex = (choice.selectedIndex + 1) % choice.options.length;
      show(choice);
    }
    if (event.target.closest("[data-texts-again]")) {
      const texts = event.target.closest("[data-texts-of]").querySelector("[data-texts]");
      reachable(texts, true);
      window.htmx.trigger(texts, "again");
    }
  });
  for (const kind of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    root.addEventListener(kind, (event) => {
      const texts = event.detail.elt.closest("[data-texts]");
      if (texts) reachable(texts, false);
    });
  }
}

/** Which of them is shown, and sent with the form. */
export function offerReading(root, { provider, language }) {
  let compared = false;
  for (const set of root.querySelectorAll("[data-texts-of]")) {
    const wanted = set.dataset.textsOf === provider;
    set.hidden = !wanted;
    set.disabled = !wanted;
    compared ||= wanted;
  }
  root.querySelector("[data-free-reading]").hidden = compared;
  const texts = [...root.querySelectorAll("[data-reading-in]")];
  const fitting = texts.find((text) => text.dataset.readingIn === language) || texts.find((text) => !text.dataset.readingIn);
  for (const text of texts) text.hidden = text !== fitting;
}

function show(choice) {
  for (const text of choice.closest("[data-texts]").querySelectorAll("[data-text]")) {
    text.hidden = text.dataset.text !== choice.value;
  }
}

function reachable(texts, isReachable) {
  texts.hidden = !isReachable;
  texts.closest("[data-texts-of]").querySelector("[data-texts-unreachable]").hidden = isReachable;
}
