// Single keys press buttons, unless somebody types; they can be switched off (WCAG 2.1.4).

import { byId } from "./dom.js";

const dialog = byId("keys");
const enabled = byId("keys-on");

export function wire() {
  const buttons = new Map(
    [...document.querySelectorAll("[data-key]")].map((button) => [button.dataset.key, button]),
  );
  byId("keys-open").addEventListener("click", () => dialog.showModal());
  byId("keys-close").addEventListener("click", () => dialog.close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || dialog.open) return;
    if (!enabled.checked || event.target.matches("input")) return;
    if (event.key === "?") {
      dialog.showModal();
    } else {
      const button = buttons.get(event.key.toLowerCase());
      if (!button) return;
      button.click();
    }
    event.preventDefault();
  });
}
