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

  // The form works without this; with it, what it asks for comes while the sliders move. One question at a time: a
  // slider that is drawn asks faster than is answered.
  function turnAtOnce(form) {
    let busy = false;
    let again = false;
    const target = document.getElementById(form.dataset.target);
    const told = (input) => (input.dataset.off && input.value === input.dataset.off ? "off" : input.value);
    const asked = () => {
      const query = new URLSearchParams(new FormData(form));
      form.querySelectorAll("input[data-off]").forEach((input) => {
        if (!input.disabled) query.set(input.name, told(input));
      });
      return `${form.getAttribute("action")}?${query}`;
    };
    const show = async (address) => {
      const response = await fetch(address);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      target.replaceChildren(...(page.getElementById(target.id) ?? page.querySelector("main")).childNodes);
      const twin = page.querySelector("p.twin");
      if (twin) document.querySelector("p.twin").replaceWith(twin);
      history.replaceState(null, "", address);
    };
    const tellSilence = () => {
      const told = document.createElement("p");
      told.className = "warning";
      told.textContent = "The dashboard does not answer; the figures below are of earlier. Is it still running?";
      if (!target.querySelector(":scope > p.warning")) target.prepend(told);
    };
    const turn = async () => {
      again = busy;
      if (busy) return;
      busy = true;
      target.classList.add("busy");
      do {
        again = false;
        await show(asked()).catch(tellSilence);
      } while (again);
      busy = false;
      target.classList.remove("busy");
    };
    form.addEventListener("input", (event) => {
      const output = event.target.closest("label")?.querySelector("output");
      if (output) output.value = told(event.target);
      turn();
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); turn(); });
  }
})();
