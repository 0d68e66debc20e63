// Copies the command beside the button. Without a clipboard (plain http) the button stays hidden.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const said = button.textContent;
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = button.dataset.wordsDone;
      setTimeout(() => { button.textContent = said; }, 2000);
    });
  }
}
