// What was typed is kept in this tab while a form is on its way. When the answer is not a page of the work (the log-in
// page, an error page), it is put back into the form when that is seen again. Never passwords, files or tokens.
const PLACE = "xk-kept";

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE));
  } catch (unreadable) {
    return null;
  }
}

function write(kept) {
  try {
    if (kept) sessionStorage.setItem(PLACE, JSON.stringify(kept));
    else sessionStorage.removeItem(PLACE);
  } catch (refused) {
    // Storage is switched off or full: then nothing is kept, as before.
  }
}

const ticked = (input) => input.type === "checkbox" || input.type === "radio";
const typed = (form) => [...form.elements].filter((input) => input.name && !["hidden", "password", "file", "submit", "button", "fieldset"].includes(input.type));
// By attribute: a field named "method" or "action" hides the property.
const posts = (form) => form.getAttribute("method")?.toLowerCase() === "post";
const path = (form) => new URL(form.getAttribute("action") || location.href, location.href).pathname;

// A page without the frame came instead of the answer.
export function lost() {
  const kept = read();
  if (kept) write({ ...kept, lost: true });
}

// A page of the work: put back what was lost, forget what has arrived.
export function restore(say) {
  const kept = read();
  if (!kept?.lost) return write(null);
  const form = [...document.forms].find((each) => posts(each) && path(each) === kept.action);
  if (!form) return;
  write(null);
  const left = [...kept.fields];
  for (const input of typed(form)) {
    const place = left.findIndex(([name, value]) => name === input.name && (!ticked(input) || value === input.value));
    if (ticked(input)) input.checked = place >= 0;
    else if (place >= 0) input.value = left[place][1];
    if (place >= 0) left.splice(place, 1);
  }
  for (let around = form; around; around = around.parentElement) if (around.nodeName === "DETAILS") around.open = true;
  form.closest("dialog")?.showModal();
  say("刚才没有提交成功。填写的内容已经放回，请核对后再提交一次。", "wait");
}

export function keep() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!posts(form) || event.defaultPrevented) return;
    const fields = typed(form).filter((input) => (ticked(input) ? input.checked : input.value)).map((input) => [input.name, input.value]);
    if (fields.length) write({ action: path(form), fields });
  });
}
