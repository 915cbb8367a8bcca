"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Everything can be read without this script; what needs it is shown by it.
const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// Tables: sorted by a click on a head, numbers as numbers, empty cells last; rows by words.
const value = (row, place) => {
  const cell = row.cells[place];
  const text = cell.dataset.sort ?? cell.textContent.trim();
  return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
};
function order(a, b, sign) {
  if (a === "" || b === "") return (a === "") - (b === "");
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}
for (const table of all("table")) {
  const body = table.tBodies[0];
  const heads = all("th", table);
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      rows.sort((a, b) => order(value(a, place), value(b, place), down ? -1 : 1));
      body.append(...rows);
    });
  });
}
for (const section of all(".result")) {
  const tools = section.querySelector(".tools");
  if (!tools?.querySelector(".filter")) continue;
  tools.hidden = false;
  const words = tools.querySelector(".filter");
  const controls = tools.querySelector(".controls");
  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of section.querySelector("tbody").rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (row.classList.contains("control") && !controls.checked)
        || !wanted.every((word) => text.includes(word));
    }
  };
  words.addEventListener("input", show);
  controls.addEventListener("change", show);
}

// Charts: lines on and off, and the figure at a dot.
for (const chart of all(".chart")) {
  for (const box of all("input[data-series]", chart)) {
    const line = chart.querySelector(`g[data-series="${box.dataset.series}"]`);
    const show = () => { line.style.display = box.checked ? "" : "none"; };
    box.addEventListener("change", show);
    show();
  }
}
const tip = document.getElementById("tip");
for (const dot of all("circle[data-tip]")) {
  dot.querySelector("title")?.remove(); // else the browser shows the same once more
  const show = () => {
    tip.textContent = dot.dataset.tip;
    tip.hidden = false;
    const at = dot.getBoundingClientRect();
    const left = Math.min(at.left + 12, innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above > 0 ? above : at.bottom + 8}px`;
  };
  const hide = () => { tip.hidden = true; };
  dot.addEventListener("pointerenter", show);
  dot.addEventListener("focus", show);
  dot.addEventListener("pointerleave", hide);
  dot.addEventListener("blur", hide);
}
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

// Pictures: two panels of a strip on one canvas, with a slider between them.
const viewer = document.getElementById("viewer");
const [left, right, zoom, slide, canvas] =
  ["left", "right", "zoom", "slide", "canvas"].map((id) => document.getElementById(id));
let strip = null;
function draw() {
  if (!strip) return;
  const image = strip.querySelector("img");
  const panel = Number(strip.dataset.panel);
  const band = Number(strip.dataset.band);
  const height = image.naturalHeight - band;
  const step = panel + Number(strip.dataset.gap);
  const cut = Math.round(panel * Number(slide.value) / 100);
  canvas.width = panel;
  canvas.height = height;
  canvas.style.width = `${panel * Number(zoom.value)}px`;
  const context = canvas.getContext("2d");
  const copy = (number, from, width) => width > 0 && context.drawImage(
    image, number * step + from, band, width, height, from, 0, width, height);
  copy(Number(left.value), 0, cut);
  copy(Number(right.value), cut, panel - cut);
  if (cut > 0 && cut < panel) {
    context.fillStyle = "#e33";
    context.fillRect(cut, 0, 1, height);
  }
}
for (const control of [left, right, zoom, slide]) control.addEventListener("input", draw);
for (const button of all(".strip .open")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    strip = button.closest(".strip");
    document.getElementById("shown").textContent =
      button.parentElement.firstChild.textContent.trim();
    const names = strip.dataset.panels.split("|");
    for (const [select, chosen] of [[left, 2], [right, 4]]) {
      select.replaceChildren(...names.map((name, n) => new Option(name, n, false, n === chosen)));
    }
    zoom.value = Math.max(1, Math.min(8, Math.floor(0.9 * innerWidth / strip.dataset.panel)));
    viewer.showModal();
    draw();
  });
}
