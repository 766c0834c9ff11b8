// Messages on top of the page. `say(text, tone)` adds one; the server adds them through the header HX-Trigger.
const region = document.getElementById("xk-flashes");

export function say(text, tone = "ok") {
  const drawn = document.getElementById("xk-flash-template").content.firstElementChild.cloneNode(true);
  drawn.dataset.tone = tone;
  drawn.querySelector("p").textContent = text;
  region.append(drawn);
  drawn.scrollIntoView({ block: "nearest" });
}

region?.addEventListener("click", (event) => {
  event.target.closest(".xk-flash-close")?.closest(".xk-flash").remove();
});
document.addEventListener("xk:say", (event) => say(event.detail.text, event.detail.tone));
