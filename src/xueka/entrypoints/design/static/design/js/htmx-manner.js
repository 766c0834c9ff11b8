// htmx in our manner: clean addresses, a sign of work, an end of the session that loses nothing, failures in words.
import { say } from "./flash.js";

const root = document.documentElement;
let under_way = 0;

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return;
  const given = event.detail.parameters;
  for (const name of Object.keys(given)) if (given[name] === "") delete given[name];
});
document.addEventListener("htmx:beforeRequest", (event) => {
  under_way += 1;
  root.classList.add("xk-is-busy");
  event.target.closest("xk-list")?.setAttribute("aria-busy", "true");
});
document.addEventListener("htmx:afterRequest", (event) => {
  under_way = Math.max(0, under_way - 1);
  if (!under_way) root.classList.remove("xk-is-busy");
  event.target.closest("xk-list")?.removeAttribute("aria-busy");
  document.querySelectorAll("xk-list[aria-busy]").forEach((list) => under_way || list.removeAttribute("aria-busy"));
});

export function failed(status) {
  if (status === 401) document.getElementById("xk-expired").showModal();
  else if (status === 403) say("没有这项权限，或页面放得太久。请刷新后再试。", "bad");
  else if (status === 404) say("没有找到。可能已被移走，请刷新页面。", "bad");
  else if (status >= 500) say("系统出错，没有办成。请稍后再试；仍不行请联系服务台。", "bad");
}
document.addEventListener("htmx:responseError", (event) => {
  // A refusal that the server has put into words (HX-Trigger xk:say) needs no second message.
  if (!event.detail.xhr.getResponseHeader("HX-Trigger")?.includes("xk:say")) failed(event.detail.xhr.status);
});
document.addEventListener("htmx:sendError", () => say("没有连上系统，没有办成。请检查网络后再试。", "bad"));

// After logging in again in another window the session's token is a new one: forms that are still open take it over.
document.getElementById("xk-expired")?.addEventListener("close", async () => {
  const answer = await fetch("/session/token/", { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok) return failed(answer?.status ?? 500);
  const token = await answer.text();
  document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach((input) => { input.value = token; });
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
});
