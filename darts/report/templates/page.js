"use strict";
(() => {
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = document.getElementById("theme");
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  theme.hidden = false;
  name();

  for (const block of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    const shown = block.querySelector("pre"), text = shown.textContent;
    // Lines may break before a flag, not at its hyphens.
    shown.replaceChildren(...text.split(/(?<=\s)(?=-)|(?<=^|\s-\S{1,30})(?=\s)/).map(part => {
      const word = document.createElement("span");
      word.textContent = part;
      if (/^-\S+$/.test(part)) word.className = "flag";
      return word;
    }));
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the command");
    button.addEventListener("click", () => {
      // The clipboard's own interface does not exist for pages that are opened as files everywhere.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      button.textContent = done ? "Copied" : "Select and copy it";
      button.focus();
    });
    block.append(button);
  }

  // A number at the start of a cell, with separators; text otherwise.
  const value = cell => {
    const text = cell ? (cell.dataset.value ?? cell.textContent.trim()) : "";
    const found = text.replace(/[,\u2009\u202f]/g, "").replace("−", "-").match(/^[±<>≥≤]?\s*(-?\d+(\.\d+)?(e[+-]?\d+)?)/i);
    return found ? +found[1] : text === "" || text === "–" ? null : text.toLowerCase();
  };
  const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    if (body.rows.length < 2) continue;
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const each of heads) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
        const keyed = [...body.rows].map(row => [value(row.cells[column]), row]);
        keyed.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : turn * compare(a, b));
        body.append(...keyed.map(([, row]) => row));
      });
    });
    if (body.rows.length < 8) continue;
    const filter = document.createElement("input");
    filter.type = "search";
    filter.className = "filter";
    filter.placeholder = "Filter rows";
    filter.setAttribute("aria-label", "Filter the rows of the table below");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every(word => text.includes(word));
      }
    });
    table.parentElement.before(filter);
  }

  // What scrolls must be reachable with the keyboard.
  const reach = () => {
    for (const one of document.querySelectorAll(".wide, figure, .stage, pre"))
      one.scrollWidth > one.clientWidth + 1 ? one.setAttribute("tabindex", "0") : one.removeAttribute("tabindex");
  };
  // A sheet cannot be opened: print what is closed, too.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });

  addEventListener("resize", reach);
  addEventListener("load", reach);
  for (const one of document.querySelectorAll("details")) one.addEventListener("toggle", reach);
})();
