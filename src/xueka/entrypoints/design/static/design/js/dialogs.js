// Native dialogs: data-xk-dialog="id" opens, data-xk-close closes, <xk-confirm> asks before it acts.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-xk-dialog]");
  if (opener) document.getElementById(opener.dataset.xkDialog).showModal();
  const closer = event.target.closest("[data-xk-close]");
  if (closer) closer.closest("dialog").close();
  // A click on the veil, which belongs to the dialog itself, closes it.
  if (event.target.nodeName === "DIALOG") event.target.close();
});

class Confirm extends HTMLElement {
  connectedCallback() {
    const dialog = this.querySelector("dialog");
    this.querySelector(":scope > button").addEventListener("click", () => dialog.showModal());
    dialog.addEventListener("keydown", (event) => {
      if (event.target.matches("textarea, input:not([type=radio])")) return;
      const reason = dialog.querySelectorAll("input[name=reason][type=radio]")[Number(event.key) - 1];
      if (reason) {
        reason.checked = true;
        reason.focus();
      }
    });
    // Once is enough: a second press while the first is on its way does nothing.
    dialog.querySelector("form").addEventListener("submit", (event) => {
      const button = event.submitter;
      if (button) setTimeout(() => { button.disabled = true; button.setAttribute("aria-busy", "true"); });
    });
  }
}
customElements.define("xk-confirm", Confirm);
