"use strict";
(() => {
  const root = document.documentElement;
  const toggle = document.querySelector("button.theme");
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });

  const diffs = [...document.querySelectorAll("article.diff")];
  document.querySelectorAll("p.hint").forEach((hint) => { hint.hidden = diffs.length < 2; });
  document.addEventListener("keydown", (event) => {
    const step = { j: 1, k: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const here = diffs.findIndex((diff) => diff.contains(document.activeElement));
    const next = diffs[here < 0 ? (step > 0 ? 0 : diffs.length - 1) : here + step];
    if (next) { next.focus({ preventScroll: true }); next.scrollIntoView({ block: "start" }); }
  });

  // Only a column of figures has numbers: a prompt hash may begin with digits, and a day with its year.
  const value = (cell) => {
    const text = cell.textContent.trim();
    return cell.classList.contains("number") ? parseFloat(text.replace(/[,$]/g, "")) : text;
  };
  // What is undefined stands at the end, whichever way a column is sorted.
  const compare = (a, b, sign) => {
    if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true });
    return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : sign * (a - b);
  };
  document.querySelectorAll("table:not(.items, .listing)").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      // A button without words could be named by nobody who does not see it.
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const falling = head.getAttribute("aria-sort") === "ascending";
        [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const order = (a, b) => compare(value(a.cells[column]), value(b.cells[column]), falling ? -1 : 1);
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
      });
    });
  });
})();
