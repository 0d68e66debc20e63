// The settings of one engine are shown and sent, those of the others are neither.

export function choose(root, engine) {
  for (const set of root.querySelectorAll("fieldset[data-engine]")) {
    const chosen = set.dataset.engine === engine;
    set.hidden = !chosen;
    set.disabled = !chosen;
  }
}

export function mountSliders(root) {
  for (const slider of root.querySelectorAll("[data-slider]")) {
    const range = slider.querySelector("input");
    const output = slider.querySelector("output");
    const show = () => {
      output.textContent = range.value;
    };
    range.addEventListener("input", show);
    show();
  }
}

/** Everything beneath `root` as the server first drew it. */
export function restore(root) {
  for (const field of root.querySelectorAll("input, select, textarea")) {
    if (field.type === "checkbox") field.checked = field.defaultChecked;
    else if (field.tagName === "SELECT") {
      const first = [...field.options].findIndex((option) => option.defaultSelected);
      field.selectedIndex = Math.max(0, first);
    } else field.value = field.defaultValue;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
