"use strict";
// The page: its data and plotting library are inflated from the document itself; nothing is fetched.

const MEAN = "mean";
const ROWS_AT_FIRST = 100;
const MOST_TRACES = 12;
const Z95 = 1.959963984540054;
const TERMS = ["task1", "task3", "j", "full"];
// Paul Tol's, less the two that stand for normal and abnormal; on a dark ground lighter kin of the same hues.
const PALETTE = {
  light: ["#332288", "#DDAA33", "#882255", "#117733", "#44AADD", "#999933", "#CC6677", "#44AA99", "#AA4499", "#555555", "#B8860B", "#6699CC"],
  dark: ["#9C90F0", "#E8C25A", "#E07FB0", "#58C07A", "#88CCEE", "#C6C65A", "#F0909F", "#5FD0BC", "#DD88D5", "#BBBBBB", "#E0B040", "#A9CBF2"],
};
const KINDS = { light: { normal: "#0072B2", abnormal: "#D55E00" }, dark: { normal: "#56B4E9", abnormal: "#F0803C" } };
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "star", "x", "triangle-down", "pentagon", "hexagon", "hourglass", "bowtie"];
// Cividis: even in lightness, and the same to every eye.
const SCALE = [[0, "#00224e"], [0.2, "#35456c"], [0.4, "#666970"], [0.6, "#948e77"], [0.8, "#c8b866"], [1, "#fee838"]];

// Lines: from hardly there to the accent.
const LINES = { light: ["#d9dee3", "#0e4a78"], dark: ["#2c343c", "#a8d8ff"] };

const $ = (id) => document.getElementById(id);
let data;
const state = { setting: 0, metric: "auroc", chosen: new Set(), sort: { column: -1, down: true }, all: false, runsSort: { column: "state", down: false }, runsAll: false, first: null, second: null, runA: null, runB: null };

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

async function inflate(id) {
  const bytes = Uint8Array.from(atob($(id).textContent.trim()), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

const figures = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^(-?)0\./, "$1."));
const signed = (value) => (value < 0 ? "−" : "+") + figures(Math.abs(value));
const probability = (p) => (p < 0.001 ? "< .001" : figures(p));
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

// --- themes

const dark = () => document.documentElement.dataset.theme === "dark";
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = () => PALETTE[dark() ? "dark" : "light"];
const kinds = () => KINDS[dark() ? "dark" : "light"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "Light" : "Dark";
  $("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

// --- what is shown

const setting = () => data.settings[state.setting];
const members = () => data.methods.filter((method) => method.setting === state.setting);
const columnOf = (method, metric = state.metric) => method.cells[metric];
const meanOf = (method, metric = state.metric) => columnOf(method, metric).at(-1)[0];
const better = () => (state.metric === "fpr95" ? 1 : -1);
const byMean = (a, b) => (meanOf(a) === null) - (meanOf(b) === null) || better() * (meanOf(a) - meanOf(b)) || a.id - b.id;

/** What is chosen at first: the best detector's terms and the floors, or, of many detectors, the best ones' own scores. */
function headline() {
  const own = members().filter((method) => !method.floor && meanOf(method, "auroc") !== null);
  const names = [...new Set(own.filter((method) => method.main).sort(byMean).map((method) => method.name))];
  const best = names.length <= 2 ? own.filter((method) => names.includes(method.name) && (method.main || TERMS.includes(method.term)))
    : own.filter((method) => method.main).sort(byMean).slice(0, 4);
  return [...best, ...members().filter((method) => method.floor)].slice(0, MOST_TRACES).map((method) => method.id);
}

/** A method's colour and symbol: fixed for a setting's headline, then by the order of choosing, the same in all figures. */
const looks = new Map();
function look(method) {
  if (!looks.has(method.id)) {
    const taken = new Set([...state.chosen].filter((id) => looks.has(id)).map((id) => looks.get(id)));
    let free = 0;
    while (taken.has(free) && free < PALETTE.light.length - 1) free += 1;
    looks.set(method.id, free);
  }
  const place = looks.get(method.id);
  return { color: palette()[place % palette().length], symbol: SYMBOLS[place % SYMBOLS.length] };
}

const chosen = () => members().filter((method) => state.chosen.has(method.id)).sort(byMean);

// --- plots

const narrow = () => window.innerWidth < 640;

function layout(more = {}) {
  const axis = { gridcolor: style("--grid"), linecolor: style("--soft"), zeroline: false, automargin: true, ticks: "outside", tickcolor: style("--soft"), ticklen: 4, fixedrange: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style("--sans"), size: 12, color: style("--ink") },
    margin: { l: 52, r: 14, t: 34, b: 44 },
    hoverlabel: { font: { family: style("--sans"), size: 12 }, align: "left" },
    legend: { orientation: "h", x: 0, xanchor: "left", y: narrow() ? -0.3 : 1.02, yanchor: narrow() ? "top" : "bottom", font: { size: 11 } },
    ...more,
    xaxis: { ...axis, ...more.xaxis }, yaxis: { ...axis, ...more.yaxis },
  };
}

function draw(id, traces, more) {
  const shown = traces.length ? more : { ...more, annotations: [{ text: "nothing to show", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5, font: { color: style("--soft") } }] };
  const size = document.documentElement.dataset.print ? { width: $(id).clientWidth, autosize: false } : { autosize: true };
  return Plotly.react($(id), traces, { ...layout(shown), ...size }, { displayModeBar: false, responsive: true });
}

const hoverRuns = (runs) => (runs.length ? "<br>" + runs.slice(0, 4).map((run) => data.runs[run].folder).join("<br>") + (runs.length > 4 ? `<br>and ${runs.length - 4} more` : "") : "");

function drawClasses() {
  const where = setting();
  const shown = chosen().slice(0, MOST_TRACES);
  const width = Math.min(0.62 / Math.max(shown.length, 1), 0.09);
  const traces = shown.map((method, place) => {
    const row = columnOf(method);
    const points = row.map((cell, column) => ({ cell, column })).filter(({ cell }) => cell[0] !== null);
    return {
      type: "scatter", mode: "markers", name: method.label,
      x: points.map(({ column }) => column + (place - (shown.length - 1) / 2) * width),
      y: points.map(({ cell }) => cell[0]),
      error_y: bars(points.map(({ cell }) => cell)),
      marker: { ...look(method), size: method.main ? 9 : 7, line: { width: 0 } },
      text: points.map(({ cell, column }) => `<b>${method.label}</b><br>${where.role} ${where.columns[column]}: ${figures(cell[0])}${cell[1] === null ? "" : " ± " + figures(cell[1])}, n = ${cell[2]}${column < method.runs.length ? hoverRuns(method.runs[column]) : ""}`),
      hovertemplate: "%{text}<extra></extra>",
    };
  });
  const shapes = [];
  const annotations = [];
  if (where.columns.length > 2) shapes.push({ type: "line", x0: where.columns.length - 1.5, x1: where.columns.length - 1.5, yref: "paper", y0: 0, y1: 1, line: { color: style("--rule"), width: 1 } });
  const known = where.published && { auroc: where.published.full, auprc_balanced: where.published.auprc_balanced }[state.metric];
  if (known) {
    shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: known, y1: known, line: { color: style("--ink"), width: 1, dash: "dash" } });
    annotations.push({ xref: "paper", x: 0, xanchor: "left", y: known, yanchor: "bottom", text: `OMASGAN, published mean ${figures(known, 2)}`, showarrow: false, font: { size: 11, color: style("--ink") }, bgcolor: style("--paper"), borderpad: 1 });
  }
  if (state.metric === "auroc") shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.5, y1: 0.5, line: { color: style("--soft"), width: 1, dash: "dot" } });
  const ticks = where.columns;
  draw("fig-classes", traces, {
    xaxis: { tickvals: ticks.map((_, place) => place), ticktext: ticks.map((name) => (name === MEAN ? "<b>mean</b>" : name)), range: [-0.6, ticks.length - 0.4], showgrid: false, title: { text: where.role ? `${where.role} class` : "" } },
    yaxis: { title: { text: data.metrics[state.metric] } }, shapes, annotations,
    margin: { l: 52, r: 14, t: narrow() ? 14 : 60, b: 44 },
  });
  const left = chosen().length - shown.length;
  const spread = "Bars are ± one deviation over seeds, or, of a single seed, the 95 % interval over test samples.";
  $("cap-classes").replaceChildren(element("b", {}, "Figure 1. "), `${data.metrics[state.metric]} of the methods chosen in the table, by class and in the mean. ${spread}${left > 0 ? ` ${left} more are chosen than are drawn.` : ""}${known ? " The dashed line is the paper's, as published." : ""}`);
}

function bars(cells) {
  const up = cells.map((cell) => (cell[1] !== null ? cell[1] : cell[4] !== null ? cell[4] - cell[0] : 0));
  const down = cells.map((cell) => (cell[1] !== null ? cell[1] : cell[3] !== null ? cell[0] - cell[3] : 0));
  return { type: "data", symmetric: false, array: up, arrayminus: down, thickness: 1, width: 0 };
}

function drawAblation() {
  const own = members().filter((method) => !method.floor && TERMS.includes(method.term));
  const picked = new Set(chosen().filter((method) => !method.floor).map((method) => method.name));
  const best = own.filter((method) => method.main).sort(byMean).map((method) => method.name);
  const names = [...new Set([...picked, ...best])].filter((name) => own.filter((method) => method.name === name && meanOf(method) !== null).length > 1).slice(0, Math.max(picked.size, 4)).slice(0, 8);
  const label = { task1: "Task 1", task3: "Task 3", j: "J", full: "full" };
  const x = TERMS.map((term) => label[term]);
  const traces = names.map((name, place) => {
    const points = own.filter((method) => method.name === name && meanOf(method) !== null).sort((a, b) => TERMS.indexOf(a.term) - TERMS.indexOf(b.term));
    const main = points.find((method) => method.main) || points[0];
    const cells = points.map((method) => columnOf(method).at(-1));
    return {
      type: "scatter", mode: "lines+markers", name,
      x: points.map((method) => label[method.term]), y: cells.map((cell) => cell[0]),
      error_y: bars(cells), line: { color: look(main).color, width: 1.6, dash: ["solid", "dash", "dot", "dashdot"][place % 4] }, marker: { ...look(main), size: 8 },
      text: points.map((method, i) => `<b>${method.label}</b><br>mean ${figures(cells[i][0])}${cells[i][1] === null ? "" : " ± " + figures(cells[i][1])}, ${plural(method.classes, "class").replace("classs", "classes")}`),
      hovertemplate: "%{text}<extra></extra>",
    };
  });
  const known = state.metric === "auroc" && setting().published && setting().published.terms;
  const terms = known ? TERMS.filter((term) => term in known) : [];
  if (terms.length) {
    traces.push({ type: "scatter", mode: "lines+markers+text", name: "OMASGAN, published", x: terms.map((term) => label[term]), y: terms.map((term) => known[term]), text: terms.map((term) => figures(known[term], 2)), textposition: "bottom center", cliponaxis: false, textfont: { size: 11, color: style("--soft") }, line: { color: style("--soft"), width: 1.2, dash: "dash" }, marker: { color: style("--soft"), symbol: "diamond-open", size: 9 }, hovertemplate: "published, %{x}: %{y:.2f}<extra></extra>" });
  }
  draw("fig-ablation", names.length || terms.length ? traces : [], { xaxis: { categoryorder: "array", categoryarray: x, range: [-0.4, x.length - 0.6] }, yaxis: { title: { text: `mean ${data.metrics[state.metric]}` } }, showlegend: true, margin: { l: 52, r: 14, t: narrow() ? 18 : 40, b: 34 } });
  $("cap-ablation").replaceChildren(element("b", {}, "Figure 2. "), `From Task 1 alone to the full score: mean ${data.metrics[state.metric]} over classes, a line a detector (those of the chosen methods, then the best).${terms.length ? " The dashed line is the paper's ablation, as published." : ""}`);
}

// --- the table

const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const fits = (text, filter) => { const low = text.toLowerCase(); return words(filter).every((word) => low.includes(word)); };

function rows() {
  const shown = members().filter((method) => (!$("only").checked || method.main) && fits(method.label, $("filter").value));
  const { column, down } = state.sort;
  if (column === -2) return shown.sort((a, b) => (down ? -1 : 1) * a.label.localeCompare(b.label, "en", { numeric: true }));
  const value = (method) => columnOf(method).at(column)[0];
  return shown.sort((a, b) => (value(a) === null) - (value(b) === null) || (down ? -1 : 1) * (value(a) - value(b)) || a.id - b.id);
}

function header(text, column, classes = "") {
  const { column: now, down } = state.sort;
  const sorted = now === column ? (down ? "descending" : "ascending") : "none";
  return element("th", { scope: "col", "aria-sort": sorted, class: classes }, element("button", { type: "button", "data-column": column, onclick: () => {
    state.sort = { column, down: now === column ? !down : column !== -2 };
    drawTable();
    $("table").querySelector(`button[data-column="${column}"]`).focus();
  } }, text));
}

function drawTable() {
  const where = setting();
  const found = rows();
  const shown = state.all ? found : found.slice(0, ROWS_AT_FIRST);
  const count = where.columns.length;
  const best = where.columns.map((_, column) => {
    const values = members().map((method) => columnOf(method)[column][0]).filter((value) => value !== null);
    return values.length ? (state.metric === "fpr95" ? Math.min(...values) : Math.max(...values)) : null;
  });
  const head = element("tr", {}, header("Method", -2), ...where.columns.map((name, column) => header(name === MEAN ? "mean" : name, column === count - 1 ? -1 : column, column === count - 1 ? "mean" : "")), element("th", { scope: "col" }, element("span", {}, "n")));
  const body = shown.map((method) => {
    const on = state.chosen.has(method.id);
    const swatch = element("span", { class: "swatch", style: on ? `background:${look(method).color};border-color:${look(method).color}` : null });
    const box = element("input", { type: "checkbox", "data-method": method.id, checked: on, "aria-label": `Show ${method.label} in the figures` });
    const cells = columnOf(method).map((cell, column) => cellOf(method, cell, column, column === count - 1, best[column]));
    const seeds = columnOf(method).at(-1)[2];
    return element("tr", { class: on ? "on" : null }, element("th", { scope: "row", title: method.label }, element("label", {}, box, swatch, element("span", {}, method.label))), ...cells, element("td", {}, seeds ? String(seeds) : "–"));
  });
  const known = where.published && { auroc: where.published.full, auprc_balanced: where.published.auprc_balanced }[state.metric];
  if (known) body.push(element("tr", { class: "published" }, element("th", { scope: "row" }, "OMASGAN, published"), ...where.classes.map(() => element("td")), element("td", { class: "mean" }, figures(known, 2)), element("td", {}, "–")));
  $("table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
  const rest = found.length - shown.length;
  $("more").replaceChildren(`${plural(found.length, "method")} of ${members().length}${rest > 0 ? `, the first ${shown.length} shown. ` : "."}`, rest > 0 ? element("button", { type: "button", onclick: () => { state.all = true; drawTable(); } }, `Show all ${found.length}`) : "");
}

function cellOf(method, cell, column, isMean, best) {
  const status = method.states[column];
  const runs = isMean ? method.runs.flat() : method.runs[column];
  const names = runs.slice(0, 6).map((run) => data.runs[run].folder).join("\n") + (runs.length > 6 ? `\nand ${runs.length - 6} more` : "");
  const open = () => details(method, column, isMean);
  const name = `${method.label}, ${setting().columns[column]}`;
  if (status !== "done") {
    const text = element("span", { class: `state ${status}` }, status === "missing" ? "missing" : status);
    return element("td", { class: isMean ? "mean" : null, title: names || null }, runs.length ? element("button", { type: "button", "aria-label": `${name}: ${status}`, onclick: open }, text) : text);
  }
  const [mean, deviation] = cell;
  const button = element("button", { type: "button", class: mean === best ? "best" : null, "aria-label": `${name}: ${figures(mean)}`, onclick: open }, figures(mean), deviation === null ? null : element("span", { class: "pm" }, ` ± ${figures(deviation)}`), method.complete[column] ? null : "†");
  return element("td", { class: isMean ? "mean" : null, title: names }, button);
}

function details(method, column, isMean) {
  const cell = columnOf(method)[column];
  const runs = isMean ? method.runs.flat() : method.runs[column];
  const place = Object.keys(data.metrics).indexOf(state.metric);
  $("details-title").textContent = `${method.label}: ${isMean ? "mean over classes" : `${setting().role} ${setting().columns[column]}`}`;
  const lines = [];
  if (cell[0] !== null) lines.push(`${data.metrics[state.metric]} ${figures(cell[0])}${cell[1] === null ? "" : ` ± ${figures(cell[1])}`}, n = ${cell[2]} ${cell[2] === 1 ? "seed" : "seeds"}${cell[3] === null ? "" : `, 95 % interval ${figures(cell[3])} to ${figures(cell[4])}`}`);
  if (isMean) lines.push(`${method.classes} of ${setting().classes.length} ${setting().classes.length === 1 ? "column" : "classes"}`);
  const list = runs.slice(0, 200).map((number) => {
    const run = data.runs[number];
    const value = run.metrics[method.term];
    return element("li", {}, `seed ${run.seed}${isMean && run.class ? `, ${run.class}` : ""}: ${run.state === "done" && value ? figures(value[place]) : run.state}${run.error ? ` (${run.error})` : ""} `, element("code", {}, run.folder));
  });
  $("details-body").replaceChildren(...lines.map((line) => element("p", { class: "muted" }, line)), element("ul", {}, ...list));
  $("details").hidden = false;
  state.opener = document.activeElement;
  $("close").focus();
}

function closeDetails() {
  if ($("details").hidden) return;
  $("details").hidden = true;
  if (state.opener && document.contains(state.opener)) state.opener.focus();
}

// --- paired comparison

const ratios = new Map();
function deviations() {
  if (!ratios.has(state.setting)) {
    const bytes = Uint8Array.from(atob(setting().pairs.deviation), (character) => character.charCodeAt(0));
    const halves = new Uint16Array(bytes.buffer);
    const bits = Uint32Array.from(halves, (half) => half << 16);
    ratios.set(state.setting, new Float32Array(bits.buffer));
  }
  return ratios.get(state.setting);
}

function erfc(x) { // Numerical Recipes' rational Chebyshev fit: a relative error below 1.2e-7
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const tail = t * Math.exp(-x * x - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return x >= 0 ? tail : 2 - tail;
}

function compare(first, second) {
  const { methods } = setting().pairs;
  const values = deviations();
  const [i, j] = [methods.indexOf(first.id), methods.indexOf(second.id)];
  const count = setting().columns.length;
  const found = [];
  for (let column = 0; column < count; column += 1) {
    const deviation = values[(i * methods.length + j) * count + column];
    if (Number.isNaN(deviation)) continue;
    const isMean = column === count - 1;
    const difference = isMean ? found.reduce((sum, one) => sum + one.difference, 0) / found.length : first.cells.auroc[column][0] - second.cells.auroc[column][0];
    const p = deviation === 0 ? Number(Math.abs(difference) < 1e-9) : erfc(Math.abs(difference) / deviation / Math.SQRT2);
    found.push({ name: setting().columns[column], isMean, difference, low: difference - Z95 * deviation, high: difference + Z95 * deviation, p });
  }
  return found;
}

function drawPairs() {
  const [first, second] = [data.methods[state.first], data.methods[state.second]];
  if (!first || !second) {
    $("verdict").textContent = "There are no two methods here that were scored on the same test samples.";
    $("pairs").replaceChildren();
    draw("fig-pairs", [], {});
    return;
  }
  const found = compare(first, second);
  const mean = found.at(-1);
  const classes = found.length - 1;
  const over = setting().columns.length > 2 ? ` in the mean over ${plural(classes, "class").replace("classs", "classes")}` : "";
  $("verdict").replaceChildren(element("b", {}, first.label), " minus ", element("b", {}, second.label), mean ? `: ${signed(mean.difference)} AUROC${over}, 95 % interval ${signed(mean.low)} to ${signed(mean.high)}, p\u00a0${mean.p < 0.001 ? "<" : "="}\u00a0${probability(mean.p).replace("< ", "")}.` : ": no test samples in common.");
  const shown = [...found].reverse();
  draw("fig-pairs", mean ? [{
    type: "scatter", mode: "markers", x: shown.map((one) => one.difference), y: shown.map((one) => one.name),
    error_x: { type: "data", array: shown.map((one) => one.high - one.difference), thickness: 1.2, width: 4, color: look(first).color },
    marker: { color: look(first).color, size: shown.map((one) => (one.isMean ? 12 : 8)), symbol: shown.map((one) => (one.isMean ? "diamond" : "circle")) },
    text: shown.map((one) => `${one.name}: ${signed(one.difference)} (${signed(one.low)} to ${signed(one.high)}), p ${probability(one.p)}`), hovertemplate: "%{text}<extra></extra>",
  }] : [], {
    xaxis: { title: { text: narrow() ? "difference of AUROC" : "← second is better    difference of AUROC    first is better →" } },
    yaxis: { type: "category", categoryorder: "array", categoryarray: shown.map((one) => one.name) },
    shapes: [{ type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, line: { color: style("--ink"), width: 1 } }], margin: { l: 60, r: 14, t: 10, b: 50 }, showlegend: false,
  });
  const head = ["class", "first", "second", "difference", "95 % interval", "p"].map((text) => element("th", { scope: "col" }, element("span", {}, text)));
  $("pairs").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...found.map((one) => {
    const column = setting().columns.indexOf(one.name);
    const values = [first, second].map((method) => method.cells.auroc[column][0]);
    return element("tr", { class: one.isMean ? "rule" : null }, element("th", { scope: "row" }, one.name), ...values.map((value) => element("td", {}, figures(value))), element("td", {}, signed(one.difference)), element("td", {}, `${signed(one.low)} to ${signed(one.high)}`), element("td", {}, probability(one.p)));
  })));
}

// --- sweeps

function swept() {
  const term = $("term").value;
  return members().filter((method) => !method.floor && method.ablation === "none" && (term === "" ? method.main : method.term === term) && Object.keys(method.varied).length);
}

const shortKey = (key) => key.split(".").at(-1).replace(/_$/, "");
const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
const plain = (value) => (value === null ? "none" : String(value));

function sweptKeys() {
  const keys = new Map();
  for (const method of members().filter((one) => !one.floor && one.ablation === "none")) {
    for (const [key, value] of Object.entries(method.varied)) keys.set(key, (keys.get(key) || new Set()).add(plain(value)));
  }
  return [...keys].filter(([, values]) => values.size > 1).map(([key]) => key);
}

function fillSweeps() {
  const keys = sweptKeys();
  $("sweeps-body").hidden = keys.length === 0;
  $("sweeps-none").hidden = keys.length > 0;
  $("sweeps-none").textContent = "No setting of a detector varies among these runs. A sweep such as -m boundary.mu=0.1,0.2 boundary.nu=0.1,0.25 is shown here as maps.";
  if (!keys.length) return;
  const find = (name, other) => keys.find((key) => key.endsWith(name)) || keys.find((key) => key !== other) || keys[0];
  const mu = find(".mu");
  const nu = find(".nu", mu);
  const beta = find(".beta", mu);
  for (const [id, key] of [["x1", mu], ["y1", nu], ["x2", mu], ["y2", beta]]) {
    $(id).replaceChildren(...keys.map((one) => element("option", { value: one, selected: one === key }, one)));
  }
  const terms = [...new Set(members().filter((method) => !method.floor && Object.keys(method.varied).length).map((method) => method.term))];
  $("term").replaceChildren(element("option", { value: "" }, "the detector's own score"), ...terms.map((term) => element("option", { value: term }, members().find((method) => method.term === term).heading)));
}

function drawMap(id, x, y) {
  const cells = new Map();
  for (const method of swept().filter((one) => x in one.varied && y in one.varied && meanOf(one) !== null)) {
    const key = JSON.stringify([method.varied[x], method.varied[y]]);
    cells.set(key, [...(cells.get(key) || []), method]);
  }
  const values = (key) => [...new Set(swept().filter((one) => key in one.varied).map((one) => one.varied[key]))].sort(order);
  const [xs, ys] = [values(x), values(y)];
  const of = (a, b) => cells.get(JSON.stringify([a, b])) || [];
  const mean = (list) => (list.length ? list.reduce((sum, method) => sum + meanOf(method), 0) / list.length : null);
  const z = ys.map((b) => xs.map((a) => mean(of(a, b))));
  const text = ys.map((b) => xs.map((a) => `${shortKey(x)} ${plain(a)}, ${shortKey(y)} ${plain(b)}: ${figures(mean(of(a, b)))}<br>${plural(of(a, b).length, "setting")} of the others, ${plural(new Set(of(a, b).flatMap((method) => method.runs.flat())).size, "run")}`));
  const flat = z.flat().filter((value) => value !== null);
  const small = xs.length * ys.length <= 64;
  draw(id, flat.length ? [{
    type: "heatmap", x: xs.map(plain), y: ys.map(plain), z, customdata: text, hovertemplate: "%{customdata}<extra></extra>",
    text: z.map((row) => row.map((value) => (value === null ? "" : figures(value)))), texttemplate: small ? "%{text}" : "", textfont: { size: 11 }, colorscale: SCALE, reversescale: state.metric === "fpr95", xgap: 2, ygap: 2, hoverongaps: false,
    colorbar: { thickness: 10, outlinewidth: 0, tickfont: { size: 10 }, title: { text: data.metrics[state.metric], side: "right", font: { size: 11 } } },
  }] : [], {
    xaxis: { type: "category", title: { text: x }, showgrid: false }, yaxis: { type: "category", title: { text: y }, showgrid: false },
    margin: { l: 60, r: 10, t: 12, b: 50 },
  });
}

function drawParallel() {
  const keys = sweptKeys();
  const found = swept().filter((method) => meanOf(method) !== null);
  const scales = [...keys.map((key) => {
    const values = [...new Set(found.map((method) => (key in method.varied ? method.varied[key] : undefined)))].sort(order);
    const place = new Map(values.map((value, i) => [value, values.length > 1 ? i / (values.length - 1) : 0.5]));
    return { key, name: shortKey(key), at: (method) => place.get(key in method.varied ? method.varied[key] : undefined), ticks: values.map((value) => [place.get(value), plain(value ?? "–")]) };
  })];
  const means = found.map((method) => meanOf(method));
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const height = (value) => (high > low ? (value - low) / (high - low) : 0.5);
  scales.push({ key: "", name: data.metrics[state.metric], at: (method) => height(meanOf(method)), ticks: [0, 0.25, 0.5, 0.75, 1].map((at) => [at, figures(low + at * (high - low))]) });
  const lines = LINES[dark() ? "dark" : "light"];
  const shade = (at) => {
    const share = state.metric === "fpr95" ? 1 - at : at;
    const mix = [1, 3, 5].map((i) => Math.round(parseInt(lines[0].slice(i, i + 2), 16) * (1 - share) + parseInt(lines[1].slice(i, i + 2), 16) * share));
    return `rgb(${mix.join(",")})`;
  };
  const sorted = [...found].sort((a, b) => -byMean(a, b)); // the best are drawn over the others
  const traces = sorted.map((method) => ({
    type: "scatter", mode: "lines+markers", x: scales.map((_, i) => i), y: scales.map((scale) => scale.at(method)),
    line: { color: shade(height(meanOf(method))), width: sorted.length > 60 ? 1 : 1.6, shape: "spline", smoothing: 0.5 }, marker: { size: 4, color: shade(height(meanOf(method))) }, opacity: 0.8,
    text: scales.map(() => `<b>${figures(meanOf(method))}</b> ${method.name}`), hovertemplate: "%{text}<extra></extra>", showlegend: false,
  }));
  const marks = scales.flatMap((scale, i) => scale.ticks.map(([y, text]) => ({ x: i, y, text, showarrow: false, xanchor: i === scales.length - 1 ? "left" : "right", xshift: i === scales.length - 1 ? 6 : -6, font: { size: 10, color: style("--soft") }, bgcolor: style("--paper") })));
  draw("fig-parallel", traces, {
    xaxis: { tickvals: scales.map((_, i) => i), ticktext: scales.map((scale) => scale.name), range: [-0.3, scales.length - 0.7], showgrid: true, gridcolor: style("--soft"), side: "top", ticks: "" },
    yaxis: { visible: false, range: [-0.06, 1.06] }, annotations: marks, margin: { l: 20, r: 20, t: 40, b: 10 }, hovermode: "closest",
  });
}

function drawSweeps() {
  if ($("sweeps-body").hidden) return;
  drawMap("fig-map1", $("x1").value, $("y1").value);
  drawMap("fig-map2", $("x2").value, $("y2").value);
  drawParallel();
  $("cap-sweeps").replaceChildren(element("b", {}, "Figure 3. "), `Mean ${data.metrics[state.metric]} over classes. A map's cell is the mean over all other settings that vary; below, a line is one combination, the stronger the better. All of it is on the test split, so it describes the sweep and must not choose a setting.`);
}

// --- two runs

const runName = (run) => `${run.name || run.folder}${run.class ? ` · ${data.settings[run.setting]?.role ?? ""} ${run.class}` : ""} · seed ${run.seed}${run.state === "done" ? "" : ` (${run.state})`}`;
const sideRuns = () => data.runs.map((run, id) => ({ ...run, id })).filter((run) => run.setting === state.setting);

function fillSide() {
  const found = sideRuns().sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }) || a.seed - b.seed || a.id - b.id);
  const done = found.filter((run) => run.state === "done");
  const drawn = done.filter((run) => Object.keys(run.pictures).length);
  state.runA = (drawn[0] || done[0] || found[0] || {}).id;
  state.runB = (drawn[1] || done.find((run) => run.id !== state.runA) || found[1] || found[0] || {}).id;
  for (const [id, value] of [["run-a", state.runA], ["run-b", state.runB]]) {
    $(id).replaceChildren(...found.map((run) => element("option", { value: run.id, selected: run.id === value }, runName(run))));
  }
  fillSideTerms();
}

function fillSideTerms() {
  const pair = [state.runA, state.runB].map((id) => data.runs[id]).filter(Boolean);
  keep($("side-term"), [...new Set(pair.flatMap((run) => Object.keys(run.histograms)))], "full");
  keep($("curve"), [...new Set(pair.flatMap((run) => Object.entries(run.curves).flatMap(([stage, names]) => Object.keys(names).map((name) => `${stage}: ${name}`))))], "task1: loss/G");
}

function keep(select, options, preferred) {
  const value = options.includes(select.value) ? select.value : options.includes(preferred) ? preferred : options.at(-1);
  select.replaceChildren(...options.map((option) => element("option", { value: option, selected: option === value }, option)));
}

function drawSide() {
  const sides = [["a", data.runs[state.runA]], ["b", data.runs[state.runB]]];
  const term = $("side-term").value;
  const colours = [palette()[0], palette()[2]];
  for (const [side, run] of sides) {
    const meta = $(`meta-${side}`);
    if (!run) { meta.replaceChildren("no run"); draw(`fig-hist-${side}`, [], {}); continue; }
    const values = run.metrics[term];
    const facts = [];
    if (values) facts.push(`${term}: AUROC ${figures(values[0])} (${figures(values[4])} to ${figures(values[5])}, bootstrap), AUPRC ${figures(values[1])}, at 1:1 ${figures(values[2])}, FPR95 ${figures(values[3])}`);
    if (run.error) facts.push(`failed: ${run.error}`);
    if (run.seconds.fit !== undefined) facts.push(`trained in ${run.seconds.fit} s; ${run.made}`);
    for (const [name, measures] of Object.entries(run.support)) facts.push(`${name}: ${Object.entries(measures).map(([key, value]) => `${key.replaceAll("_", " ")} ${[value].flat().map((one) => (typeof one === "number" ? figures(one) : plain(one))).join(" / ")}`).join(", ")}`);
    meta.replaceChildren(element("b", {}, runName(run)), element("br"), element("code", {}, run.folder), ...facts.flatMap((fact) => [element("br"), fact]));
    const histogram = run.histograms[term];
    const traces = histogram ? ["normal", "abnormal"].map((kind) => {
      const width = (histogram.high - histogram.low) / histogram[kind].length;
      return { type: "bar", name: kind, x: histogram[kind].map((_, i) => histogram.low + (i + 0.5) * width), y: histogram[kind].map((share) => share / 1000), width, marker: { color: kinds()[kind], line: { width: 0 } }, opacity: 0.6, hovertemplate: `${kind}, score %{x:.3g}: %{y:.1%}<extra></extra>` };
    }) : [];
    draw(`fig-hist-${side}`, traces, { barmode: "overlay", bargap: 0, xaxis: { title: { text: `${term || "no"} score` }, showgrid: false }, yaxis: { title: { text: "share of samples" }, tickformat: ".0%" } });
    const shown = Object.entries(run.pictures).map(([name, url]) => element("figure", {}, element("img", { src: url, alt: `${data.pictures[name]} of ${runName(run)}` }), element("figcaption", {}, `${data.pictures[name]}, ${runName(run)}`)));
    const none = run.state === "done" ? `No picture of this run is in the page${data.pictures_left_out ? ` (${plural(data.pictures_left_out, "run")} left out; report.pictures sets how many are embedded)` : ""}; its plots lie in ${run.folder}/plots.` : "";
    $(`pictures-${side}`).replaceChildren(...(shown.length ? shown : [element("p", { class: "muted small" }, none)]));
  }
  const [stage, name] = $("curve").value.split(/: (.*)/);
  const paths = sides.filter(([, run]) => run && run.curves[stage] && run.curves[stage][name]).map(([side, run]) => ({ type: "scatter", mode: "lines", name: `${side === "a" ? "left" : "right"}: ${runName(run)}`, x: run.curves[stage][name][0], y: run.curves[stage][name][1], line: { color: colours[side === "a" ? 0 : 1], width: 1.5, dash: side === "a" ? "solid" : "dash" }, hovertemplate: "step %{x}: %{y:.3g}<extra></extra>" }));
  draw("fig-curves", paths, { xaxis: { title: { text: `step of ${stage}` } }, yaxis: { title: { text: name } }, legend: { orientation: "h", y: -0.28, yanchor: "top", x: 0, font: { size: 10 } }, margin: { l: 52, r: 14, t: 12, b: 90 } });
  const rocs = sides.filter(([, run]) => run && run.rocs[term]).map(([side, run]) => ({ type: "scatter", mode: "lines", name: `${side === "a" ? "left" : "right"}: ${figures(run.metrics[term][0])}`, x: run.rocs[term].map((_, i) => i / (run.rocs[term].length - 1)), y: run.rocs[term], line: { color: colours[side === "a" ? 0 : 1], width: 1.5, dash: side === "a" ? "solid" : "dash" }, hovertemplate: "FPR %{x:.2f}, TPR %{y:.3f}<extra></extra>" }));
  if (rocs.length) rocs.push({ type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], line: { color: style("--soft"), width: 1, dash: "dot" }, showlegend: false, hoverinfo: "skip" });
  draw("fig-roc", rocs, { xaxis: { title: { text: "false-positive rate" }, range: [0, 1] }, yaxis: { title: { text: `true-positive rate, ${term}` }, range: [0, 1.02] }, legend: { x: 0.98, xanchor: "right", y: 0.05, yanchor: "bottom" }, margin: { l: 52, r: 14, t: 12, b: 50 } });
}

// --- the list of runs

const RANK = { failed: 0, damaged: 1, interrupted: 2, running: 3, done: 4 };
const RUN_COLUMNS = {
  state: { title: "State", value: (run) => RANK[run.state] },
  name: { title: "Detector", value: (run) => run.name },
  class: { title: "Class", value: (run) => run.class },
  seed: { title: "Seed", value: (run) => run.seed },
  auroc: { title: "AUROC", value: (run) => (run.main ? run.main[0] : -1) },
  seconds: { title: "Training, s", value: (run) => run.seconds.fit ?? -1 },
  folder: { title: "Folder", value: (run) => run.folder },
  error: { title: "Error", value: (run) => run.error },
};

function drawRuns() {
  const { column, down } = state.runsSort;
  const main = new Map(data.methods.filter((method) => method.main && !method.floor).map((method) => [method.name, method.term]));
  const found = data.runs.map((run) => ({ ...run, main: run.metrics[main.get(run.name)] || run.metrics[Object.keys(run.metrics)[0]] })).filter((run) => fits(`${run.folder} ${run.state} ${run.name} ${run.error}`, $("runs-filter").value));
  const { value } = RUN_COLUMNS[column];
  found.sort((a, b) => (down ? -1 : 1) * (typeof value(a) === "number" ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true })));
  const shown = state.runsAll ? found : found.slice(0, ROWS_AT_FIRST);
  const head = Object.entries(RUN_COLUMNS).map(([key, { title }]) => element("th", { scope: "col", class: ["folder", "error", "name"].includes(key) ? "left" : null, "aria-sort": key === column ? (down ? "descending" : "ascending") : "none" }, element("button", { type: "button", "data-column": key, onclick: () => {
    state.runsSort = { column: key, down: key === column ? !down : ["auroc", "seconds"].includes(key) };
    drawRuns();
    $("runs-table").querySelector(`button[data-column="${key}"]`).focus();
  } }, title)));
  const body = shown.map((run) => element("tr", {}, element("td", {}, element("span", { class: `state ${run.state}` }, run.state)), element("td", { class: "left" }, run.name), element("td", {}, run.class || "–"), element("td", {}, String(run.seed)), element("td", {}, run.main ? `${figures(run.main[0])} (${figures(run.main[4])}–${figures(run.main[5])})` : "–"), element("td", {}, run.seconds.fit === undefined ? "–" : String(run.seconds.fit)), element("td", { class: "path" }, run.folder), element("td", { class: "why" }, run.error)));
  $("runs-table").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  const rest = found.length - shown.length;
  $("runs-more").replaceChildren(`${plural(found.length, "run")}${rest > 0 ? `, the first ${shown.length} shown. ` : "."}`, rest > 0 ? element("button", { type: "button", onclick: () => { state.runsAll = true; drawRuns(); } }, `Show all ${found.length}`) : "");
}

function counts() {
  const number = {};
  for (const run of data.runs) number[run.state] = (number[run.state] || 0) + 1;
  return Object.keys(RANK).reverse().filter((name) => number[name]).map((name) => `${number[name].toLocaleString("en")} ${name}`).join(", ");
}

// --- together

function drawFigures() {
  drawClasses();
  drawAblation();
}

function fillPairs() {
  const able = setting().pairs.methods.map((id) => data.methods[id]).sort(byMean);
  const own = able.find((method) => method.main && !method.floor) || able[0];
  const other = able.find((method) => method.floor && method !== own) || able.find((method) => method !== own);
  state.first = own && other ? own.id : null;
  state.second = own && other ? other.id : null;
  for (const id of ["first", "second"]) {
    $(id).replaceChildren(...able.map((method) => element("option", { value: method.id, selected: method.id === state[id] }, method.label)));
  }
}

function drawSetting() {
  const where = setting();
  state.all = false;
  state.chosen = new Set(headline());
  looks.clear();
  [...state.chosen].forEach((id, place) => looks.set(id, place));
  const role = { abnormal: "A column is the class that is left out of training and to be found", normal: "A column is the one class that is normal", "": "One column, for the data have no classes to leave out" }[where.role];
  $("results-caption").textContent = `${where.label}. ${role}. Ticked methods are drawn below; a cell opens the runs behind it.`;
  fillPairs();
  fillSweeps();
  fillSide();
  drawTable();
  drawFigures();
  drawPairs();
  drawSweeps();
  drawSide();
}

function listen() {
  const later = (work) => { let timer; return () => { clearTimeout(timer); timer = setTimeout(work, 120); }; };
  $("theme").addEventListener("click", () => { setTheme(dark() ? "light" : "dark"); redraw(); });
  $("setting").addEventListener("change", (event) => { state.setting = Number(event.target.value); drawSetting(); });
  $("metric").addEventListener("change", (event) => { state.metric = event.target.value; state.sort = { column: -1, down: state.metric !== "fpr95" }; drawTable(); drawFigures(); drawSweeps(); });
  $("filter").addEventListener("input", later(drawTable));
  $("only").addEventListener("change", drawTable);
  $("none").addEventListener("click", () => { state.chosen.clear(); drawTable(); drawFigures(); });
  $("csv").addEventListener("click", copy);
  $("table").addEventListener("change", (event) => {
    const id = Number(event.target.dataset.method);
    if (event.target.checked) state.chosen.add(id); else { state.chosen.delete(id); looks.delete(id); }
    drawTable();
    drawFigures();
    const box = $("table").querySelector(`input[data-method="${id}"]`);
    if (box) box.focus();
  });
  $("close").addEventListener("click", closeDetails);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeDetails(); });
  for (const id of ["first", "second"]) $(id).addEventListener("change", (event) => { state[id] = Number(event.target.value); drawPairs(); });
  for (const id of ["term", "x1", "y1", "x2", "y2"]) $(id).addEventListener("change", drawSweeps);
  $("run-a").addEventListener("change", (event) => { state.runA = Number(event.target.value); fillSideTerms(); drawSide(); });
  $("run-b").addEventListener("change", (event) => { state.runB = Number(event.target.value); fillSideTerms(); drawSide(); });
  for (const id of ["side-term", "curve"]) $(id).addEventListener("change", drawSide);
  $("runs-filter").addEventListener("input", later(drawRuns));
  let was = narrow();
  window.addEventListener("resize", later(() => { if (was !== narrow()) { was = !was; redraw(); } }));
  let before = null;
  window.addEventListener("beforeprint", () => { // figures get the width of the paper, and its colours
    before = document.documentElement.dataset.theme;
    document.documentElement.dataset.print = "yes";
    setTheme("light");
    redraw();
  });
  window.addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    setTheme(before);
    redraw();
  });
}

function redraw() {
  drawTable();
  drawFigures();
  drawPairs();
  drawSweeps();
  drawSide();
}

async function copy() {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [["method", ...setting().columns], ...rows().map((method) => [method.label, ...columnOf(method).map((cell, i) => (cell[0] === null ? method.states[i] : cell[0]))])];
  const text = lines.map((line) => line.map((cell) => quote(String(cell))).join(",")).join("\n");
  try {
    await navigator.clipboard.writeText(text);
    $("csv").textContent = "Copied";
  } catch {
    $("csv").textContent = "Not allowed here: see tables.csv";
  }
  setTimeout(() => { $("csv").textContent = "Copy as CSV"; }, 1500);
}

async function start() {
  setTheme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  data = JSON.parse(await inflate("data"));
  const library = element("script");
  library.textContent = await inflate("plotly");
  document.head.append(library);
  for (const id of ["plotly", "data"]) $(id).remove();
  data.methods.forEach((method, id) => { method.id = id; });
  $("subtitle").textContent = `${plural(data.runs.length, "run")}: ${counts()}. Written ${data.created}.`;
  $("runs-caption").textContent = `All runs that were read: ${counts()}. An AUROC's bracket is its bootstrap interval.`;
  if (data.problems.length) $("problems").append(element("div", { class: "notice" }, element("b", {}, "To be looked at"), element("ul", {}, ...data.problems.map((line) => element("li", {}, line)))));
  $("setting").replaceChildren(...data.settings.map((where, id) => element("option", { value: id }, where.label)));
  $("metric").replaceChildren(...Object.entries(data.metrics).map(([name, title]) => element("option", { value: name }, title)));
  listen();
  if (data.settings.length) drawSetting();
  drawRuns();
  document.documentElement.dataset.ready = "yes";
}

start();
