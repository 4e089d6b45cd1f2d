"use strict";
(() => {
  document.documentElement.classList.add("ready");
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const state = { metric: data.headline, methods: data.methods.map(() => true), off: new Set() };
  const DASHES = ["", "8 3", "3 3", "10 3 2 3"];
  const COLOURS = 7;
  const STEPS = 9;

  // Numbers, as slicebench.page.figures prints them
  function number(value, digits = 2) {
    if (value === undefined || value === null) return "–";
    const text = value.toFixed(digits);
    return text.replace("-", Number(text) === 0 ? "" : "−");
  }
  const spread = (e) => Boolean(e) && typeof e[1] === "number";
  const between = (e) => (spread(e) ? `[${number(e[1])}, ${number(e[2])}]` : "");
  const heat = (value) => Math.min(STEPS - 1, Math.max(0, Math.floor(value * STEPS)));

  function make(tag, attributes, parent, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  }

  // Metric: the main table and the problems' table are painted over
  function paintMetric() {
    const metric = data.metrics[state.metric];
    for (const span of all(".metric-label")) span.textContent = metric.label;
    one("#about-metric").textContent = `${metric.label}: ${metric.about}`;
    for (const row of all("#methods tr[data-method]")) paintRow(row, data.methods[row.dataset.method], metric.axis);
    for (const cell of all("#heat .mean td")) paintCell(cell, data.methods[cell.dataset.method].values[state.metric]);
    for (const row of all("#heat tr[data-problem]")) {
      const problem = data.problems[row.dataset.problem];
      for (const cell of all("td", row)) {
        const value = problem.cells[cell.dataset.method][state.metric];
        paintCell(cell, value);
        if (value) cell.title = `${data.methods[cell.dataset.method].name} on ${problem.name}: ${number(value[0])} ${between(value)}`;
      }
    }
    const sorted = one("#methods th[aria-sort]");
    if (sorted) sortRows(sorted);
    drawCost();
  }

  function paintRow(row, method, [low, high]) {
    const at = (value) => `${(100 * (value - low)) / (high - low)}%`;
    const value = method.values[state.metric];
    const chance = method.chance[state.metric];
    const cell = one("td.metric", row);
    cell.classList.toggle("none", !value);
    cell.dataset.v = value ? value[0] : "";
    one(".value", cell).textContent = number(value && value[0]);
    one(".behind", cell).textContent = value && value[3] ? "↓" : "";
    one(".interval", cell).textContent = between(value);
    const ends = spread(value) ? [value[1], value[2]] : [0, 0];
    set(one(".whisker", cell), { x1: at(ends[0]), x2: at(ends[1]) });
    set(one(".dot", cell), { cx: at(value ? value[0] : 0) });
    set(one(".zero", cell), { x1: at(0), x2: at(0) });
    set(one("line.chance", cell), { x1: at(chance ?? 0), x2: at(chance ?? 0) });
    const beside = one("td.chance", row);
    beside.dataset.v = chance ?? "";
    one(".value", beside).textContent = number(chance);
    one(".interval", beside).textContent = state.metric in method.p ? `p ${method.p[state.metric]}` : "";
  }

  function paintCell(cell, value) {
    cell.textContent = number(value && value[0]) + (value && value[3] ? "↓" : "");
    if (value) cell.dataset.heat = heat(value[0]);
    else delete cell.dataset.heat;
  }

  function set(element, attributes) {
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  }

  // Sorting: within each tbody, missing values last
  function onSort(button) {
    const header = button.closest("th");
    const before = header.getAttribute("aria-sort");
    const turned = { ascending: "descending", descending: "ascending" };
    for (const other of all("th[aria-sort]", header.closest("table"))) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", before ? turned[before] : button.dataset.first);
    sortRows(header);
  }

  function sortRows(header) {
    const sign = header.getAttribute("aria-sort") === "descending" ? -1 : 1;
    const key = (row) => {
      const cell = row.cells[header.cellIndex];
      if (cell.dataset.v === undefined) return cell.textContent.trim();
      return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    };
    const order = (a, b) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (typeof a === "string" ? a.localeCompare(b, "en") : a - b);
    };
    for (const body of header.closest("table").tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("divider"));
      const keys = new Map(rows.map((row) => [row, key(row)]));
      body.append(...rows.sort((a, b) => order(keys.get(a), keys.get(b))));
    }
  }

  // Filters hide; nothing is recomputed
  function filter() {
    const form = one("#filters");
    const search = form.search.value.trim().toLowerCase();
    const needs = all("[name=needs]", form);
    const refused = needs.filter((box) => !box.checked).map((box) => box.value);
    state.methods = data.methods.map(
      (m) => m.name.toLowerCase().includes(search) && (m.reference || !m.requires.some((word) => refused.includes(word))),
    );
    const problems = data.problems.map(
      (p) =>
        ["", p.modality].includes(form.modality.value) &&
        ["", p.family].includes(form.family.value) &&
        ["", p.kind].includes(form.kind?.value ?? ""),
    );
    for (const element of all("[data-method]")) element.hidden = !(state.methods[element.dataset.method] ?? true);
    for (const element of all("[data-problem]")) element.hidden = !problems[element.dataset.problem];
    for (const body of all("#heat tbody:not(.mean), #methods tbody")) {
      body.hidden = all("tr:not(.divider)", body).every((row) => row.hidden);
    }
    const counts = [state.methods, problems].map((shown) => shown.filter(Boolean).length);
    const hiding = counts[0] < data.methods.length || counts[1] < data.problems.length;
    one("#status").textContent =
      `${counts[0]} of ${data.methods.length} methods, ${counts[1]} of ${data.problems.length} problems shown.` +
      (hiding ? " Filters only hide: means, intervals and ranks remain those of all problems and methods." : "");
    drawCost();
    drawCurves();
  }

  // Sections: tabs where there is room, one after the other where there is not
  const wide = matchMedia("(min-width: 44rem)");
  const tabs = all("#tabs a");
  const panels = all(".panel");

  function arrangeTabs() {
    set(one("#tabs"), wide.matches ? { role: "tablist", "aria-label": "Sections" } : { role: "presentation" });
    for (const tab of tabs) {
      for (const name of ["role", "aria-controls", "aria-selected", "tabindex"]) tab.removeAttribute(name);
      if (wide.matches) set(tab, { role: "tab", "aria-controls": tab.hash.slice(1) });
    }
    for (const panel of panels) {
      if (wide.matches) set(panel, { role: "tabpanel", "aria-labelledby": `tab-${panel.id}` });
      else panel.removeAttribute("role");
    }
    route();
  }

  function route() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const panel = (target && target.closest(".panel")) || panels[0];
    const problem = target && target.closest("article.problem");
    for (const other of panels) other.hidden = wide.matches && other !== panel;
    one(".filters").hidden = wide.matches && "unfiltered" in panel.dataset;
    for (const article of all("article.problem")) article.hidden = article !== problem;
    one("#all-problems").hidden = Boolean(problem);
    if (wide.matches) {
      for (const tab of tabs) {
        const selected = tab.hash === `#${panel.id}`;
        set(tab, { "aria-selected": selected, tabindex: selected ? 0 : -1 });
      }
    }
    drawCost();
    drawCurves();
    return { panel, problem };
  }

  function onHash() {
    const { panel, problem } = route();
    if (problem) problem.focus({ preventScroll: true });
    const top = problem || (wide.matches ? one("main") : panel);
    if (problem || !wide.matches || scrollY > top.offsetTop) top.scrollIntoView();
  }

  // A followed link would lose the focus, and with it the arrow keys
  function onTabClick(event) {
    if (!wide.matches) return;
    event.preventDefault();
    history.pushState(null, "", event.currentTarget.hash);
    onHash();
  }

  function onTabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!wide.matches || step === undefined) return;
    event.preventDefault();
    const here = tabs.indexOf(event.currentTarget);
    const next = Number.isFinite(step) ? (here + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
    history.replaceState(null, "", tabs[next].hash);
    route();
    tabs[next].focus();
  }

  // Charts
  function frame(host, x, y, ratio, label) {
    const width = host.clientWidth;
    const height = Math.round(Math.min(640, Math.max(280, width * ratio)));
    const [left, right, top, bottom] = [46, 14, 12, 46];
    host.replaceChildren();
    const svg = make("svg", { width, height, role: "img", "aria-label": label }, host);
    const scale = (axis, from, to) => {
      const f = axis.log ? Math.log10 : (v) => v;
      const [a, b] = [f(axis.low), f(axis.high)];
      return (v) => from + ((f(v) - a) / (b - a)) * (to - from);
    };
    const X = scale(x, left, width - right);
    const Y = scale(y, height - bottom, top);
    for (const tick of x.ticks) {
      make("line", { class: "grid", x1: X(tick), x2: X(tick), y1: top, y2: height - bottom }, svg);
      make("text", { x: X(tick), y: height - bottom + 18, "text-anchor": "middle" }, svg, x.print(tick));
    }
    for (const tick of y.ticks) {
      make("line", { class: tick === 0 ? "axis" : "grid", x1: left, x2: width - right, y1: Y(tick), y2: Y(tick) }, svg);
      make("text", { x: left - 8, y: Y(tick) + 4, "text-anchor": "end" }, svg, number(tick, 1));
    }
    make("text", { class: "label", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, svg, x.label);
    make("text", { class: "label", "text-anchor": "middle", transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)` }, svg, y.label);
    return { svg, X, Y, width, height, left, right };
  }

  const colour = (method) => (method.look === null ? "ref" : `m${method.look % COLOURS}`);

  function dash(method) {
    if (method.look !== null) return DASHES[method.look % DASHES.length];
    return method.name === "random" ? "1 5" : "9 6";
  }

  function marker(look, x, y, r = 5) {
    const shapes = [
      `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
      `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
      `M${x} ${y - r - 1}l${r + 1} ${2 * r}h${-2 * r - 2}z`,
      `M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z`,
      `M${x} ${y + r + 1}l${r + 1} ${-2 * r}h${-2 * r - 2}z`,
    ];
    return shapes[look % shapes.length];
  }

  function ticksBetween(low, high) {
    const step = high - low > 1.2 ? 0.5 : 0.2;
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(1)));
  }

  function drawCost() {
    const host = one("#cost-chart");
    if (!host.clientWidth) return;
    const shown = data.methods.filter((m, i) => state.methods[i] && !m.reference && m.seconds > 0 && m.values[state.metric]);
    one("#cost").classList.toggle("empty", !shown.length);
    if (!shown.length) return host.replaceChildren("No method that is shown has both a value and a time.");
    const decades = shown.map((m) => Math.log10(m.seconds));
    const [first, last] = [Math.floor(Math.min(...decades) - 0.1), Math.ceil(Math.max(...decades) + 0.1)];
    const [low, high] = data.metrics[state.metric].axis;
    const metric = data.metrics[state.metric].label;
    const x = { low: 10 ** first, high: 10 ** last, log: true, label: "seconds per 10,000 test examples", print: (v) => (v < 1000 ? String(v) : v.toLocaleString("en")) };
    x.ticks = Array.from({ length: last - first + 1 }, (_, i) => Number((10 ** (first + i)).toPrecision(1)));
    const y = { low, high, label: `mean ${metric}`, ticks: ticksBetween(low, high) };
    const plot = frame(host, x, y, 0.5, `Mean ${metric} against seconds per 10,000 test examples`);
    const taken = [];
    const groups = shown.map((m) => {
      const [mean, from, to] = m.values[state.metric];
      const whole = spread(m.values[state.metric]);
      const g = make("g", { class: colour(m), "data-method": data.methods.indexOf(m) }, plot.svg);
      const [cx, cy] = [plot.X(m.seconds), plot.Y(mean)];
      if (whole) make("line", { class: "whisker", x1: cx, x2: cx, y1: plot.Y(from), y2: plot.Y(to) }, g);
      make("path", { class: "mark", d: marker(m.look, cx, cy) }, g);
      make("title", {}, g, `${m.name}: ${number(mean)} ${between(m.values[state.metric])}, ${m.seconds.toPrecision(2)} s per 10,000`);
      const [top, bottom] = whole ? [plot.Y(to), plot.Y(from)] : [cy, cy];
      taken.push({ x: cx - 7, y: Math.min(top, cy - 7), width: 14, height: Math.max(bottom, cy + 7) - Math.min(top, cy - 7) });
      return { g, cx, cy, name: m.name };
    });
    for (const { g, cx, cy, name } of groups) placeLabel(make("text", { class: "label" }, g, name), cx, cy, plot, taken);
  }

  // First place beside a point where its label overlaps nothing
  function placeLabel(text, cx, cy, plot, taken) {
    const places = [[11, 4, "start"], [-11, 4, "end"], [9, -12, "start"], [9, 20, "start"], [-9, -12, "end"], [-9, 20, "end"], [0, -22, "middle"], [0, 32, "middle"]];
    const free = (box) =>
      box.x > plot.left && box.x + box.width < plot.width &&
      taken.every((t) => box.x > t.x + t.width || box.x + box.width < t.x || box.y > t.y + t.height || box.y + box.height < t.y);
    const put = ([dx, dy, anchor]) => {
      set(text, { x: cx + dx, y: cy + dy, "text-anchor": anchor });
      return text.getBBox();
    };
    taken.push(put(places.find((place) => free(put(place))) ?? places[0]));
  }

  function drawCurves() {
    const article = all("article.problem").find((a) => !a.hidden && one(".curves", a));
    if (!article || !one(".chart", article).clientWidth) return;
    const problem = data.problems[article.dataset.index];
    const lines = data.methods.map((m, i) => ({ m, i, line: problem.curves[i] })).filter(({ line }) => line.length);
    const x = { low: 0, high: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], print: (v) => `${Math.round(100 * v)} %`, label: "share of the class, hardest first" };
    const y = { low: 0, high: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], label: "minority fraction" };
    const plot = frame(one(".chart", article), x, y, 0.6, `Minority fraction among the hardest share of ${problem.name}, by method`);
    const legend = one(".legend", article);
    legend.replaceChildren();
    for (const { m, i, line } of lines.filter(({ i }) => state.methods[i])) {
      const shown = !state.off.has(m.name);
      legend.append(legendButton(m, i, shown));
      if (shown) drawCurve(plot, m, i, line);
    }
  }

  function drawCurve(plot, m, i, line) {
    const g = make("g", { class: colour(m), "data-method": i }, plot.svg);
    const points = line.map((v, k) => [plot.X(data.shares[k]), plot.Y(v)]);
    make("path", { class: "line", d: `M${points.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L")}`, "stroke-dasharray": dash(m) }, g);
    points.forEach(([px, py], k) => {
      if (m.look !== null && k % 5 === m.look % 5) make("path", { class: "mark", d: marker(m.look, px, py, 4) }, g);
      const touch = make("circle", { class: "touch", cx: px, cy: py, r: 8 }, g);
      make("title", {}, touch, `${m.name}: ${number(line[k])} among the hardest ${Math.round(100 * data.shares[k])} %`);
    });
  }

  function legendButton(m, i, shown) {
    const button = document.createElement("button");
    set(button, { type: "button", "aria-pressed": shown, class: colour(m), "data-method": i });
    const svg = make("svg", { width: 34, height: 12, class: "chart", "aria-hidden": true }, button);
    const g = make("g", { "data-method": i }, svg);
    make("path", { class: "line", d: "M0 6H34", "stroke-dasharray": dash(m) }, g);
    if (m.look !== null) make("path", { class: "mark", d: marker(m.look, 17, 6, 4) }, g);
    button.append(m.name);
    button.addEventListener("click", () => {
      if (!state.off.delete(m.name)) state.off.add(m.name);
      drawCurves();
      one(`.problem:not([hidden]) .legend [data-method="${i}"]`).focus();
    });
    return button;
  }

  // A method under the pointer, or focused, stands out in its chart
  function highlight(event) {
    const figure = event.target.closest && event.target.closest("figure");
    for (const chart of all(".chart.hot")) chart.classList.remove("hot");
    const over = event.target.closest && event.target.closest("g[data-method], .legend [data-method]");
    if (!figure || !over) return;
    const group = one(`div.chart g[data-method="${over.dataset.method}"]`, figure);
    if (!group) return;
    for (const g of all("div.chart g.hot", figure)) g.classList.remove("hot");
    group.classList.add("hot");
    one("div.chart", figure).classList.add("hot");
  }

  function startTheme() {
    const themes = ["auto", "light", "dark"];
    const root = document.documentElement;
    const say = () => { one("#theme").textContent = `Theme: ${root.dataset.theme}`; };
    one("#theme").addEventListener("click", () => {
      root.dataset.theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
      try { localStorage.setItem("slicebench-theme", root.dataset.theme); } catch { /* a page without storage keeps no theme */ }
      say();
    });
    say();
  }

  startTheme();
  for (const button of all("button.sort")) button.addEventListener("click", () => onSort(button));
  const form = one("#filters");
  form.addEventListener("input", (event) => {
    if (event.target.name !== "metric") return filter();
    state.metric = form.metric.value;
    paintMetric();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    state.metric = form.metric.value;
    paintMetric();
    filter();
  }));
  for (const tab of tabs) {
    tab.addEventListener("click", onTabClick);
    tab.addEventListener("keydown", onTabKey);
  }
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, highlight);
  addEventListener("hashchange", onHash);
  wide.addEventListener("change", arrangeTabs);
  new ResizeObserver(() => { drawCost(); drawCurves(); }).observe(one("main"));
  if (!wide.matches) one(".filters").open = false;
  arrangeTabs();
  filter();
  if (location.hash) onHash();
})();
