// A button that copies what stands in the element it names.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.value);
    button.textContent = button.dataset.copied;
  } catch {
    text.select(); // not allowed here: it is at least marked, for the keys to copy
  }
});
