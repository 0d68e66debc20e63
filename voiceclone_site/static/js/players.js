// A player shows no page: where its sound is refused, the refusal's sentence is put beneath it.

for (const audio of document.querySelectorAll("audio[data-says-why]")) {
  const why = audio.parentElement.querySelector("[data-why]");
  audio.addEventListener("error", async () => {
    const answer = await fetch(audio.src).catch(() => null);
    if (!answer || answer.ok) return;
    why.textContent = (await answer.text()).trim();
    why.hidden = false;
  });
  audio.addEventListener("loadeddata", () => {
    why.hidden = true;
  });
}
