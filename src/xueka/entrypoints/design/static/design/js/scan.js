// The scanner panel. A scanner types faster than a server answers: codes queue up and are posted one by one, in order.
import { failed } from "./htmx-manner.js";

const PITCH = { ok: [880], wait: [520], bad: [220, 180] };

class Scan extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.input = this.form.querySelector("[name=code]");
    this.answer = this.querySelector(".xk-scan-answer");
    this.queue = [];
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const code = this.input.value.trim();
      this.input.value = "";
      if (code) this.queue.push(code);
      this.work();
    });
    // Keys that go nowhere belong to the scanner.
    document.addEventListener("keydown", (event) => {
      const free = document.activeElement === document.body || this.answer.contains(document.activeElement);
      if (free && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) this.input.focus();
    }, true);
    this.input.focus();
  }

  async work() {
    if (this.busy) return;
    this.busy = true;
    while (this.queue.length) {
      const body = new FormData(this.form);
      body.set("code", this.queue[0]);
      let answer;
      try {
        answer = await fetch(this.form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
      } catch (unreachable) {
        this.say(`没有连上系统，${this.queue.length} 个扫描还没有记下。网络恢复后再按一次回车。`);
        break;
      }
      if (!answer.ok) {
        failed(answer.status);
        this.say(`“${this.queue[0]}”没有记下，请再扫一次。`);
        this.queue.length = 0;
        break;
      }
      this.queue.shift();
      this.answer.innerHTML = await answer.text();
      window.htmx?.process(this.answer);
      this.sound(this.answer.querySelector("[data-said]")?.dataset.said);
    }
    this.busy = false;
  }

  say(text) {
    const line = this.answer.querySelector(".xk-scan-said");
    line.dataset.tone = "bad";
    line.textContent = text;
    this.sound("bad");
  }

  sound(tone) {
    if (!this.querySelector("[data-xk-sound]").checked || !PITCH[tone]) return;
    this.audio ??= new AudioContext();
    PITCH[tone].forEach((pitch, index) => {
      const voice = this.audio.createOscillator();
      const loud = this.audio.createGain();
      const start = this.audio.currentTime + index * 0.14;
      voice.frequency.value = pitch;
      loud.gain.setValueAtTime(0.08, start);
      loud.gain.exponentialRampToValueAtTime(0.001, start + 0.12);
      voice.connect(loud).connect(this.audio.destination);
      voice.start(start);
      voice.stop(start + 0.13);
    });
  }
}
customElements.define("xk-scan", Scan);
