// Light or dark before the first paint. Not a module: it must run while the head is read.
(function () {
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    var kept = null;
    try {
      kept = localStorage.getItem("xk-theme");
    } catch (refused) {
      // Storage is switched off: the system's choice holds.
    }
    var dark = kept ? kept === "dark" : system.matches;
    document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
  }
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  apply();
})();
