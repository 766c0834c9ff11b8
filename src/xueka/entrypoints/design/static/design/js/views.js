// Saved views of a list: combinations of filters, kept in this browser. What was typed into a search field is a
// person's name as often as not, and is not kept.
class Views extends HTMLElement {
  connectedCallback() {
    this.list = this.closest("xk-list");
    this.place = `xk-views:${location.pathname}`;
    this.keep = this.querySelector("button");
    this.keep.addEventListener("click", () => this.save([...this.saved(), this.present()]));
    this.list.addEventListener("htmx:afterSettle", () => this.draw());
    this.draw();
  }

  saved() {
    try {
      return JSON.parse(localStorage.getItem(this.place)) ?? [];
    } catch (unreadable) {
      return [];
    }
  }

  save(views) {
    try {
      localStorage.setItem(this.place, JSON.stringify(views));
    } catch (refused) {
      // Storage is switched off or full: the view is not kept, and the button stays.
    }
    this.draw();
  }

  // What is chosen now, by name and in words.
  present() {
    const chips = [...this.list.querySelectorAll(".xk-chip[data-kind]")].filter((chip) => chip.dataset.kind !== "search");
    const query = new URLSearchParams(chips.map((chip) => [chip.dataset.name, chip.dataset.value]));
    return { label: chips.map((chip) => chip.dataset.label).join("，"), query: query.toString() };
  }

  draw() {
    const views = this.saved();
    const present = this.present();
    this.querySelectorAll("span").forEach((old) => old.remove());
    for (const view of views) this.keep.before(this.chip(view, views));
    this.keep.hidden = !present.query || views.some((view) => view.query === present.query);
    this.hidden = this.keep.hidden && !views.length;
  }

  chip(view, views) {
    const chip = document.createElement("span");
    const link = Object.assign(document.createElement("a"), { href: `${location.pathname}?${view.query}`, textContent: view.label });
    const drop = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    drop.setAttribute("aria-label", `不再记住“${view.label}”`);
    drop.addEventListener("click", () => this.save(views.filter((each) => each !== view)));
    chip.append(link, drop);
    return chip;
  }
}
customElements.define("xk-views", Views);
