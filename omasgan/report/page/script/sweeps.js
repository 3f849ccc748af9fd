// A sweep: which figures show it, by how many settings vary, and the table of its settings.

/** Rows of the table of settings before the reader asks for all. */
const SETTINGS_AT_FIRST = 10;

/** Fills the choices of score and detector, and those that depend on the detector. */
function fillSweeps() {
  const detectors = [...new Set(sweepable().map(detectorOf))];
  $("sweeps-body").hidden = detectors.length === 0;
  $("sweeps-none").hidden = detectors.length > 0;
  $("sweeps-none").textContent =
    "No setting of a detector varies among these runs. A sweep such as -m boundary.mu=0.1,0.2 boundary.nu=0.1,0.25 " +
    "is shown here.";
  if (!detectors.length) return;
  fillSelect(
    "sweep-detector",
    detectors.map((name) => [name, name]),
    detectors[0],
  );
  $("sweep-detector").parentElement.hidden = detectors.length === 1;
  $("sweeps-warning").hidden = !setting().warning;
  $("sweeps-warning").textContent = `The best setting below is ${setting().warning}.`;
  fillSweep();
}

/** Fills what depends on the detector: its scores, the settings of the map, the filters. */
function fillSweep() {
  const methods = sweepable().filter((method) => detectorOf(method) === $("sweep-detector").value);
  const headings = new Map(methods.map((method) => [method.term, method.heading]));
  fillSelect("term", [["", "the detector's own score"], ...(headings.size > 1 ? headings : [])], "");
  const keys = sweptKeys();
  const options = keys.map((key) => [key, key]);
  const find = (ending, but) =>
    keys.find((key) => key.endsWith(ending) && key !== but) ?? keys.find((key) => key !== but);
  const first = find(".mu");
  fillSelect("map-x", options, first);
  fillSelect("map-y", options, find(".nu", first));
  fillAxisFilters(sweepPoints().points, keys);
  state.settingsAll = false;
}

/** Draws the figures for as many settings as vary: a line for one, a map for two, parallel coordinates for more. */
function drawSweeps() {
  if ($("sweeps-body").hidden) return;
  const found = sweepPoints();
  const keys = sweptKeys();
  const some = found.points.length > 0;
  const search = isSearch(found.points);
  const shown = {
    "sweep-line": some && keys.length === 1,
    "sweep-map": some && keys.length > 1,
    "sweep-history": some && search,
    "sweep-importance": some && (search || keys.length > 2),
    "sweep-parallel": some && keys.length > 2,
  };
  for (const [id, show] of Object.entries(shown)) $(id).hidden = !show;
  $("map-x").closest("label").hidden = keys.length < 3;
  $("sweeps-caption").textContent = sweepText(found, keys);
  if (shown["sweep-line"]) drawLine(found.points, found.cells, keys[0]);
  if (shown["sweep-map"]) drawMap(found, keys);
  if (shown["sweep-history"]) drawHistory(found.points, found.lacking);
  if (shown["sweep-importance"]) drawImportance(keys, search);
  drawFiltered(found, keys);
}

/** What the axes filter: the parallel coordinates and the table. */
function drawFiltered(found = sweepPoints(), keys = sweptKeys()) {
  if (!$("sweep-parallel").hidden) drawParallel(found.points, keys);
  fillSettings(found, keys);
}

/** How many settings are compared, and on what; which are not, and why. */
function sweepText({ points, lacking, cells }, keys) {
  if (!cells.length) return "No run of this sweep is finished.";
  const columns = classesOf(cells);
  const names = columns.map((column) => setting().classes[column]);
  const every = columns.length === setting().classes.length;
  const named = names.length === 1 ? `class ${names[0]}` : `the classes ${names.join(", ")}`;
  const over = !setting().role ? "" : every && names.length > 1 ? `all ${names.length} classes` : named;
  const seeds = seedsOf(cells);
  const all = columns.length * seeds.length;
  const part = cells.length === all ? "" : ` (${cells.length} of ${all} runs each, those that every setting has)`;
  const on = [over, `${plural(seeds.length, "seed")}${part}`].filter(Boolean);
  return [
    `${plural(points.length, keys.length > 1 ? "combination" : "value")} of ${keys.map(shortKey).join(", ")}, compared on ${on.join(" and ")}.`,
    notComparedText(lacking, isSearch(points)),
  ].join(" ");
}

/** Which settings are not compared, and why. */
function notComparedText(lacking, search) {
  if (!lacking.length) return "";
  if (search) return `${plural(lacking.length, "trial")} without all of them are not compared.`;
  const named = lacking.slice(0, 4).map((one) => `${valuesText(one.method)} ${lacksText(one)}`);
  const more = lacking.length > named.length ? `; and ${lacking.length - named.length} more` : "";
  return `Not compared: ${named.join("; ")}${more}.`;
}

/** The p-values of the differences to the best point, paired over classes and seeds, by Holm's correction. */
function againstBest(points) {
  const [best, ...others] = points;
  const differences = (point) => [...best.values].map(([cell, value]) => value - point.values.get(cell));
  return [null, ...holm(others.map((point) => signedRank(differences(point))))];
}

/** The table of the settings that pass the filter, the best first. */
function fillSettings({ points, cells }, keys) {
  const p = points.length ? againstBest(points) : [];
  const kept = $("sweep-parallel").hidden ? points : passingPoints(points, keys);
  const shown = state.settingsAll ? kept : kept.slice(0, SETTINGS_AT_FIRST);
  const titles = [...keys.map(shortKey), `mean ${metricTitle()}`, "± over seeds", "p against the best"];
  const head = titles.map((text) => element("th", { scope: "col" }, element("span", {}, text)));
  const body = shown.map((point) => settingRow(point, keys, p[points.indexOf(point)]));
  $("sweep-table").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  const test = noiseText(points.length - 1, cells.length);
  fillMore(
    "sweep-more",
    `${plural(kept.length, "setting")} of ${points.length}; ${test}`,
    kept.length,
    shown.length,
    () => {
      state.settingsAll = true;
      drawFiltered();
    },
  );
}

/** How the settings are tested against the best; or that there are too few runs to tell any apart. */
function noiseText(comparisons, pairs) {
  const fewest = Math.ceil(1 + Math.log2(Math.max(comparisons, 1) / LEVEL));
  const test = `Wilcoxon's signed-rank test, paired over ${plural(pairs, "run")}, Holm-corrected`;
  if (pairs >= fewest) return `bold is not distinguished from the best (${test})`;
  return `${plural(pairs, "run")} of each are too few to tell any of so many from the best (${test}, needs ${fewest})`;
}

function settingRow(point, keys, p) {
  const isDefault = keys.every((key) => defaultOf({ key, values: [point.method.varied[key]] }).tried);
  const [first, ...rest] = keys.map((key) => tidy(point.method.varied[key]));
  const noise = p === null || p >= LEVEL;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, `${first}${isDefault && !rest.length ? " (default)" : ""}`),
    ...rest.map((text, i) => element("td", {}, `${text}${isDefault && i === rest.length - 1 ? " (default)" : ""}`)),
    element("td", { class: noise ? "best" : null, "data-value": point.mean }, point.text),
    element("td", {}, point.deviation === null ? "–" : figures(point.deviation)),
    element("td", {}, p === null ? `best${setting().warning ? ", by the test split" : ""}` : probability(p)),
  );
}

function listenToSweeps() {
  listenTo("term", "change", drawSweeps);
  listenTo("sweep-detector", "change", () => {
    fillSweep();
    drawSweeps();
  });
  for (const id of ["map-x", "map-y", "line-centred"]) listenTo(id, "change", drawSweeps);
  listenTo("axis-filters", "change", () => drawFiltered());
  listenToAxes();
}
