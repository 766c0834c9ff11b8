// The search box: after a pause it shows what it found; Enter goes on to the page, at once for a scanner.
const form = document.querySelector(".xk-search");
const input = form?.querySelector("input");
let timer, asked;

function close() {
  form.querySelector(".xk-search-hits")?.remove();
  form.querySelector("[role=status]").textContent = "";
}

async function suggest() {
  const query = input.value.trim();
  if (query.length < 2) return close();
  asked = query;
  const answer = await fetch(`${form.action}?q=${encodeURIComponent(query)}&part=1`, { headers: { "HX-Request": "true" } });
  if (!answer.ok || asked !== query || document.activeElement !== input) return;
  const html = await answer.text();
  close();
  input.insertAdjacentHTML("afterend", html);
  const found = form.querySelectorAll(".xk-search-hits a").length;
  form.querySelector("[role=status]").textContent = found ? `找到 ${found} 条，按向下键选择` : "没有找到";
}

if (form) {
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, 250);
  });
  form.addEventListener("submit", () => clearTimeout(timer));
  form.addEventListener("keydown", (event) => {
    const links = [...form.querySelectorAll(".xk-search-hits a")];
    if (event.key === "Escape") {
      close();
      input.blur();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && links.length) {
      event.preventDefault();
      const here = links.indexOf(document.activeElement);
      const next = here + (event.key === "ArrowDown" ? 1 : -1);
      (links[next] || input).focus();
    }
  });
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) close();
  });
}
