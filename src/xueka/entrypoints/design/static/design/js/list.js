// A list: the selection outlives a turn of the page, and ends when the filters change.
class List extends HTMLElement {
  connectedCallback() {
    this.picked = new Set();
    this.everything = false;
    this.bulk = this.querySelector(".xk-bulk");
    this.filters = this.dataset.filters;
    this.addEventListener("change", (event) => this.changed(event.target));
    this.addEventListener("click", (event) => {
      if (event.target.closest("[data-xk-clear]")) this.clear();
      if (event.target.closest("[data-xk-everything]")) this.take_everything();
    });
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.clear();
    });
    this.addEventListener("htmx:afterSettle", () => this.arrived());
    this.addEventListener("htmx:responseError", () => this.failed());
    this.addEventListener("htmx:sendError", () => this.failed());
    this.bulk?.addEventListener("submit", () => this.carry());
    // A browser that goes back may restore ticks without telling: start from what is ticked.
    this.boxes().forEach((box) => box.checked && this.picked.add(box.dataset.xkKey));
    this.draw();
  }

  boxes() {
    return [...this.querySelectorAll("[data-xk-key]")];
  }

  changed(input) {
    if (input.dataset.xkKey !== undefined) {
      this.everything = false;
      input.checked ? this.picked.add(input.dataset.xkKey) : this.picked.delete(input.dataset.xkKey);
    } else if (input.dataset.xkAll !== undefined) {
      this.everything = false;
      for (const box of this.boxes()) input.checked ? this.picked.add(box.dataset.xkKey) : this.picked.delete(box.dataset.xkKey);
    } else return;
    this.draw();
  }

  clear() {
    this.picked.clear();
    this.everything = false;
    this.draw();
  }

  take_everything() {
    this.everything = true;
    this.draw();
  }

  // New rows are in: tick those picked before; other filters mean another question, so the selection ends.
  arrived() {
    this.querySelector(".xk-list-failed")?.remove();
    const body = this.querySelector(".xk-list-body");
    if (body.dataset.filters !== this.filters) {
      this.filters = body.dataset.filters;
      this.picked.clear();
      this.everything = false;
    }
    const asked = new URLSearchParams(location.search);
    this.querySelectorAll(".xk-filters [name]").forEach((control) => {
      if (control !== document.activeElement) control.value = asked.get(control.name) ?? "";
    });
    this.draw();
  }

  failed() {
    if (this.querySelector(".xk-list-failed")) return;
    const note = document.createElement("p");
    note.className = "xk-problem xk-list-failed";
    note.setAttribute("role", "alert");
    note.textContent = "没有取到新的一页，下面仍是原来的内容。请检查网络后再试一次。";
    this.querySelector(".xk-list-body").prepend(note);
  }

  draw() {
    if (!this.bulk) return;
    const boxes = this.boxes();
    for (const box of boxes) {
      box.checked = this.everything || this.picked.has(box.dataset.xkKey);
      box.closest("tr").toggleAttribute("data-picked", box.checked);
    }
    const all = this.querySelector("[data-xk-all]");
    const ticked = boxes.filter((box) => box.checked).length;
    if (all) {
      all.checked = ticked > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }
    const some = this.everything || this.picked.size > 0;
    const more = Boolean(this.querySelector(".xk-pager"));
    const count = this.querySelector("[data-xk-total]")?.textContent;
    this.bulk.toggleAttribute("data-some", some);
    this.bulk.querySelector("[data-xk-none]").hidden = some;
    this.bulk.querySelector("[data-xk-some]").hidden = !some;
    this.bulk.querySelector("[data-xk-count]").textContent = this.everything ? count : this.picked.size.toLocaleString("zh-CN");
    this.bulk.querySelector("[data-xk-clear]").hidden = !some;
    const offer = this.bulk.querySelector("[data-xk-everything]");
    offer.hidden = !(all?.checked && more) || this.everything;
    offer.textContent = `选中符合筛选的全部 ${count}`;
    this.bulk.querySelectorAll("[type=submit]").forEach((button) => { button.disabled = !some; });
  }

  // The selection travels with the form, as hidden fields made at the last moment.
  carry() {
    this.bulk.querySelectorAll("[data-xk-carried]").forEach((field) => field.remove());
    const fields = this.everything
      ? [["everything", "1"], ["filters", this.filters]]
      : [...this.picked].map((key) => ["keys", key]);
    for (const [name, value] of fields) {
      const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      field.dataset.xkCarried = "";
      this.bulk.append(field);
    }
  }
}
customElements.define("xk-list", List);
