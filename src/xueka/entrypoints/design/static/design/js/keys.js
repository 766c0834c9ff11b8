// The keyboard: / search, ? help, j k x in a list, and the hotkey a button names for itself.
import "./focus-error.js";

const typing = (node) => node.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

function move(step) {
  const rows = [...document.querySelectorAll("[data-xk-row]")];
  if (!rows.length) return;
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[Math.min(rows.length - 1, Math.max(0, here === -1 ? 0 : here + step))];
  (row.querySelector(".xk-open") || row.querySelector("input, a"))?.focus();
  row.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  const acts = {
    "/": () => document.getElementById("xk-search")?.select(),
    "?": () => document.getElementById("xk-help")?.showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: () => document.activeElement.closest("[data-xk-row]")?.querySelector("[data-xk-key]")?.click(),
  };
  const key = event.key === " " ? "Space" : event.key;
  // The space bar belongs to the button or box that has the focus.
  if (key === "Space" && event.target.closest("button, a, summary, input, [role=button]")) return;
  const act = acts[key];
  const named = [...document.querySelectorAll("[data-hotkey]:not([disabled])")].find((node) => node.dataset.hotkey === key);
  if (named) named.click();
  else if (act) act();
  else return;
  event.preventDefault();
});
