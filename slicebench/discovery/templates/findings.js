// Sort, filter and hide slices, show one alone on the map, copy queries. Without this script the page shows everything.
"use strict";
document.documentElement.classList.add("js");
const all = (query, root = document) => [...root.querySelectorAll(query)];
const controls = document.querySelector(".controls");
const figure = document.querySelector(".map");
const rowOf = new Map(all(".overview tr[data-key]").map((row) => [row.dataset.key, row]));
const slices = all("article.slice").map((card, place) => ({
  card,
  place,
  key: card.dataset.key,
  row: rowOf.get(card.dataset.key),
  dots: all(".map g[data-key]").find((one) => one.dataset.key === card.dataset.key),
  text: [card.querySelector("header"), ...all(".query code, .params", card)].map((one) => one.textContent).join(" ").toLowerCase(),
  hidden: false,
}));
let chosen = null;

function highlight(key) {
  figure?.classList.toggle("hot", key !== null);
  for (const one of slices) {
    one.dots?.classList.toggle("hot", one.key === key);
    one.row.classList.toggle("hot", one.key === key);
    one.row.querySelector(".mark").setAttribute("aria-pressed", String(one.key === chosen));
  }
}

function update() {
  const value = (name) => controls?.elements[name]?.value ?? "";
  const sort = value("sort");
  const sign = sort === "p" ? 1 : -1;
  const order = [...slices].sort(
    (a, b) => (sort ? sign * (Number(a.card.dataset[sort]) - Number(b.card.dataset[sort])) : 0) || a.place - b.place,
  );
  const words = value("text").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const one of order) {
    const kept = !value("class") || one.card.dataset.class === value("class");
    const out = one.hidden || !kept || !words.every((word) => one.text.includes(word));
    for (const part of [one.card, one.row]) {
      part.hidden = out;
      part.parentNode.append(part);
    }
    one.dots?.toggleAttribute("hidden", out);
    shown += out ? 0 : 1;
  }
  if (controls) controls.querySelector("[role=status]").textContent = `${shown} of ${slices.length} slices shown`;
}

async function copy(button) {
  const code = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // pages from a file may not write to the clipboard
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

function showTarget() {
  const target = slices.find((one) => `#${one.key}` === location.hash);
  if (target?.card.hidden) {
    for (const one of slices) one.hidden = one.hidden && one !== target;
    controls.reset();
    target.card.scrollIntoView();
  }
}

for (const one of slices) {
  one.card.querySelector(".hide")?.addEventListener("click", () => {
    one.hidden = true;
    update();
    const next = slices.find((other) => !other.card.hidden && other.place > one.place) ?? slices.find((other) => !other.card.hidden);
    (next?.card ?? controls.elements.sort).focus({ preventScroll: true });
  });
  one.row.querySelector(".mark").addEventListener("click", () => {
    chosen = chosen === one.key ? null : one.key;
    highlight(chosen);
  });
  for (const part of [one.row, one.dots].filter(Boolean)) {
    part.addEventListener("mouseenter", () => highlight(one.key));
    part.addEventListener("mouseleave", () => highlight(chosen));
  }
}
for (const button of all("button.copy")) button.addEventListener("click", () => copy(button));
controls?.addEventListener("input", update);
controls?.addEventListener("submit", (event) => event.preventDefault());
controls?.addEventListener("reset", (event) => {
  if (event.isTrusted) for (const one of slices) one.hidden = false;
  setTimeout(update); // the fields have their first values after this event
});
addEventListener("hashchange", showTarget);
update();
