// A frame over a picture: dragged, or moved by its three sliders (which the keyboard works by itself).
class Crop extends HTMLElement {
  connectedCallback() {
    const [wide, tall] = this.dataset.ratio.split(":").map(Number);
    this.ratio = tall / wide;
    this.svg = this.querySelector(".xk-crop-picture");
    [this.full, this.deep] = this.svg.getAttribute("viewBox").split(" ").slice(2).map(Number);
    this.size = this.querySelector("[name=frame_width]");
    this.x = this.querySelector("[name=x]");
    this.y = this.querySelector("[name=y]");
    this.height = this.querySelector("[name=frame_height]");
    this.addEventListener("input", (event) => this.draw(event.target === this.size));
    this.svg.addEventListener("pointerdown", (event) => this.grab(event));
    this.draw(false);
  }

  // The frame keeps its middle when it grows, and never leaves the picture.
  draw(grown) {
    const frame = this.svg.querySelector(".xk-crop-frame");
    const before = Number(frame.getAttribute("width"));
    const width = Number(this.size.value);
    const height = Math.min(this.deep, Math.round(width * this.ratio));
    if (grown) {
      this.set(this.x, Number(this.x.value) + (before - width) / 2, this.full - width);
      this.set(this.y, Number(this.y.value) + ((before - width) * this.ratio) / 2, this.deep - height);
    }
    this.set(this.x, Number(this.x.value), this.full - width);
    this.set(this.y, Number(this.y.value), this.deep - height);
    this.height.value = height;
    const [x, y] = [Number(this.x.value), Number(this.y.value)];
    for (const [name, value] of Object.entries({ x, y, width, height })) frame.setAttribute(name, value);
    const veil = `M0 0H${this.full}V${this.deep}H0ZM${x} ${y}h${width}v${height}h${-width}Z`;
    this.svg.querySelector(".xk-crop-veil").setAttribute("d", veil);
  }

  set(slider, value, most) {
    slider.max = Math.max(0, most);
    slider.value = Math.round(Math.min(Math.max(0, value), Math.max(0, most)));
  }

  grab(event) {
    const scale = this.full / this.svg.getBoundingClientRect().width;
    const from = { x: event.clientX, y: event.clientY, left: Number(this.x.value), top: Number(this.y.value) };
    const move = (each) => {
      this.set(this.x, from.left + (each.clientX - from.x) * scale, Number(this.x.max));
      this.set(this.y, from.top + (each.clientY - from.y) * scale, Number(this.y.max));
      this.draw(false);
    };
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    this.svg.addEventListener("pointermove", move);
    const drop = () => this.svg.removeEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", drop, { once: true });
    this.svg.addEventListener("pointercancel", drop, { once: true });
  }
}
customElements.define("xk-crop", Crop);
