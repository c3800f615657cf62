"use strict";
(() => {
  const root = document.documentElement;
  const remembered = localStorage.getItem("theme");
  if (remembered) root.dataset.theme = remembered;

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("button.theme").addEventListener("click", () => {
      localStorage.setItem("theme", root.dataset.theme);
    });
    document.querySelectorAll("p.row-hint").forEach((hint) => { hint.hidden = false; });
    document.querySelectorAll("form.knobs").forEach(turnAtOnce);
  });

  // j and k go through the rows of a list, or from one event to the next.
  document.addEventListener("keydown", (event) => {
    const step = { j: 1, k: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    if (document.querySelectorAll("article.diff").length > 1) return;
    const rows = [...document.querySelectorAll("a.row")];
    const here = rows.indexOf(document.activeElement);
    const next = rows[here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step];
    if (next) next.focus();
    else document.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
  });

  // The form works without this; with it, what it asks for comes while the sliders move. The last answer counts.
  function turnAtOnce(form) {
    let latest = 0;
    const target = document.getElementById(form.dataset.target);
    const told = (input) => (input.dataset.off && input.value === input.dataset.off ? "off" : input.value);
    const asked = () => {
      const query = new URLSearchParams(new FormData(form));
      form.querySelectorAll("input[data-off]").forEach((input) => {
        if (!input.disabled) query.set(input.name, told(input));
      });
      return `${form.getAttribute("action")}?${query}`;
    };
    const turn = async () => {
      const mine = ++latest;
      const address = asked();
      target.classList.add("busy");
      const response = await fetch(address);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (mine !== latest) return;
      target.classList.remove("busy");
      target.replaceChildren(...(page.getElementById(target.id) ?? page.querySelector("main")).childNodes);
      document.querySelector("p.twin")?.replaceWith(page.querySelector("p.twin") ?? "");
      history.replaceState(null, "", address);
    };
    form.addEventListener("input", (event) => {
      const output = event.target.closest("label")?.querySelector("output");
      if (output) output.value = told(event.target);
      turn();
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); turn(); });
  }
})();
