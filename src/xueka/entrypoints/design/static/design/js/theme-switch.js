// The button for light and dark; theme.js applies what is kept here before the first paint.
class ThemeSwitch extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", () => {
      const root = document.documentElement;
      const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
      const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      root.setAttribute("data-bs-theme", next);
      try {
        // The system's own choice is not kept, so that the page follows the system again.
        if (next === system) localStorage.removeItem("xk-theme");
        else localStorage.setItem("xk-theme", next);
      } catch (refused) {
        // Without storage the choice holds for this page.
      }
      document.dispatchEvent(new CustomEvent("xk:theme"));
    });
  }
}
customElements.define("xk-theme", ThemeSwitch);
