// Files: drop or choose, see names and sizes, watch them go. Without script it is a plain form.
import { failed } from "./htmx-manner.js";

const size = (octets) => (octets < 1048576 ? `${Math.max(1, Math.round(octets / 1024))} KB` : `${(octets / 1048576).toFixed(1)} MB`);

class Drop extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.input = this.querySelector("input[type=file]");
    this.error = this.querySelector(".xk-drop-error");
    const over = (on) => (event) => { event.preventDefault(); this.classList.toggle("xk-drop-over", on); };
    this.addEventListener("dragover", over(true));
    this.addEventListener("dragleave", over(false));
    this.addEventListener("drop", (event) => {
      over(false)(event);
      this.input.files = event.dataTransfer.files;
      this.show();
    });
    this.input.addEventListener("change", () => this.show());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.show()) this.send();
    });
  }

  show() {
    const files = [...this.input.files];
    const lines = files.slice(0, 20).map((file) => this.line(file.name, size(file.size)));
    if (files.length > 20) lines.push(this.line(`另有 ${files.length - 20} 个文件`, ""));
    this.querySelector(".xk-drop-files").replaceChildren(...lines);
    return this.complain(this.fault(files));
  }

  line(name, note) {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("span"), { textContent: name }));
    item.append(Object.assign(document.createElement("small"), { textContent: note }));
    return item;
  }

  fault(files) {
    if (files.length > 1 && !this.input.multiple) return `一次只收一个文件，拖入了 ${files.length} 个。请只留一个。`;
    const wanted = this.input.accept.split(",").map((each) => each.trim().toLowerCase()).filter((each) => each.startsWith("."));
    const wrong = files.find((file) => wanted.length && !wanted.some((end) => file.name.toLowerCase().endsWith(end)));
    if (wrong) return `“${wrong.name}”不是所收的文件。这里收 ${wanted.join("、")}。`;
    const limit = Number(this.input.dataset.maxMb);
    const large = files.find((file) => file.size > limit * 1048576);
    if (large) return `“${large.name}”有 ${size(large.size)}，超过上限 ${limit} MB。请分成几份再上传。`;
    return "";
  }

  complain(text) {
    this.error.textContent = text;
    this.error.hidden = !text;
    return !text;
  }

  send() {
    const sending = this.querySelector(".xk-drop-sending");
    const button = this.querySelector("[type=submit]");
    const [bar, words] = sending.children;
    const request = new XMLHttpRequest();
    const stop = (text) => {
      sending.hidden = true;
      button.disabled = false;
      this.complain(text);
    };
    sending.hidden = false;
    button.disabled = true;
    request.upload.addEventListener("progress", (event) => {
      bar.value = (event.loaded / event.total) * 100;
      words.textContent = event.loaded < event.total ? `${size(event.loaded)} / ${size(event.total)}` : "已传完，正在检查…";
    });
    request.addEventListener("load", () => {
      const onward = request.getResponseHeader("HX-Redirect");
      if (onward) location.assign(onward);
      else if (request.getResponseHeader("Content-Type")?.startsWith("application/json")) stop(this.refusal(JSON.parse(request.responseText)));
      else {
        failed(request.status);
        stop("文件没有收下，什么都没有改变。请再试一次。");
      }
    });
    request.addEventListener("error", () => stop("上传中断，什么都没有改变。请检查网络后再试一次。"));
    request.open("POST", this.form.action);
    request.setRequestHeader("Accept", "application/json, text/html");
    request.setRequestHeader("HX-Request", "true");
    request.send(new FormData(this.form));
  }

  refusal(error) {
    return [error.where, error.message, error.found && `读到 ${error.found}。`, error.expected && `应是 ${error.expected}。`, error.action].filter(Boolean).join(" ");
  }
}
customElements.define("xk-drop", Drop);
