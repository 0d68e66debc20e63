// What is being said lights up while its audio plays; a click goes there.

const playerOf = (line) => line.closest("article")?.querySelector("audio");

document.addEventListener(
  "timeupdate",
  (event) => {
    const line = event.target.closest?.("article")?.querySelector("[data-timed]");
    if (!line) return;
    const now = event.target.currentTime;
    for (const each of line.children) {
      each.classList.toggle("now", Number(each.dataset.from) <= now && now < Number(each.dataset.to));
    }
  },
  true, // a player's events do not bubble
);

document.addEventListener("click", (event) => {
  const each = event.target.closest("[data-timed] > *");
  const audio = each && playerOf(each.parentElement);
  if (!audio) return;
  audio.currentTime = Number(each.dataset.from);
  audio.play().catch(() => {}); // it may not be playable here; the player says so itself
});
