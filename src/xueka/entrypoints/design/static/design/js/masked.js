// A masked value: a reason, a logged request, then the plain value for a minute.
class Masked extends HTMLElement {
  connectedCallback() {
    const peek = this.querySelector(".xk-peek");
    if (!peek) return;
    const dialog = this.querySelector("dialog");
    const shown = this.querySelector("[data-xk-shown]");
    const covered = shown.textContent;
    peek.addEventListener("click", () => dialog.showModal());
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const wrong = dialog.querySelector(".xk-masked-error");
      const form = event.target;
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "HX-Request": "true" } }).catch(() => null);
      wrong.hidden = Boolean(answer?.ok);
      if (!answer?.ok) {
        wrong.textContent = answer?.status === 403 ? "没有查看权限。" : "没有取到，请稍后再试。";
        return;
      }
      shown.textContent = await answer.text();
      this.toggleAttribute("data-open", true);
      dialog.close();
      setTimeout(() => { shown.textContent = covered; this.removeAttribute("data-open"); }, 60000);
    });
  }
}
customElements.define("xk-masked", Masked);
