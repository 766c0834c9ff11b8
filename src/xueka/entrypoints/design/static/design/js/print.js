// A page that is meant for paper says so with a button.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-xk-print]")) window.print();
});
