// A button and what drops down from it: <xk-menu><button aria-expanded><div hidden>.
class Menu extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector(":scope > button");
    this.body = this.querySelector(":scope > div");
    this.button.addEventListener("click", () => this.show(this.body.hidden));
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.body.hidden) {
        event.stopPropagation();
        this.show(false);
        this.button.focus();
      }
    });
    this.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.contains(event.relatedTarget)) this.show(false);
    });
    document.addEventListener("click", (event) => {
      if (!this.contains(event.target)) this.show(false);
    });
  }

  show(open) {
    this.body.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
  }
}
customElements.define("xk-menu", Menu);
