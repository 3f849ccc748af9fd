// All detectors beside OMASGAN: the difference on the same test samples, the cost, and the published figure.

/** The costs of a detector, by their name in the data: the title of the axis. */
const COSTS = {
  training_seconds: "seconds of training, one class",
  scoring_seconds: "seconds to score 1,000 samples",
  parameters: "parameters",
};

/** The marks of a logarithmic axis: 1, 2 and 5 of every power of ten from 0.001 to 10 million. */
const TICKS = [...Array(11).keys()].flatMap((place) => [1, 2, 5].map((one) => one * 10 ** (place - 3)));

/** The detectors of the setting that is shown; nothing where there are not several. */
const detectorsHere = () => data.detectors.find((one) => one.setting === state.setting);

function drawDetectors() {
  const found = detectorsHere();
  $("detectors-body").hidden = !found;
  $("detectors-none").hidden = Boolean(found);
  $("detectors-none").textContent = "Only one detector here has a mean over the classes.";
  if (!found) return;
  fillDetectors(found);
  drawCosts(found);
}

function drawCosts({ rows }) {
  const cost = $("cost").value;
  const known = rows.filter((row) => row.cost[cost] > 0 && meanOf(data.methods[row.method]) !== null);
  const names = known.map((row) => data.methods[row.method].label);
  const trace = {
    type: "scatter",
    mode: narrow() ? "markers" : "markers+text",
    x: known.map((row) => row.cost[cost]),
    y: known.map((row) => meanOf(data.methods[row.method])),
    text: names.map((name) => cut(name, 28)),
    textposition: "top center",
    textfont: { size: 10.5 },
    marker: {
      size: 10,
      color: known.map((row) => appearanceOf(data.methods[row.method])),
      line: { width: 1, color: style("--paper") },
    },
    customdata: known.map((row, i) => `<b>${names[i]}</b><br>${costText(row.cost[cost])} ${COSTS[cost]}`),
    hovertemplate: "%{customdata}<br>%{y:.3f}<extra></extra>",
    cliponaxis: false,
  };
  draw("fig-cost", known.length ? [trace] : [], {
    xaxis: {
      type: "log",
      title: { text: COSTS[cost] },
      tickvals: TICKS,
      ticktext: TICKS.map(costText),
      range: padded(trace.x),
    },
    yaxis: { title: { text: `mean ${metricTitle()}` } },
    margin: { l: 52, r: 30, t: 24, b: 46 },
    showlegend: false,
    hovermode: "closest",
  });
  const unknown = rows.length - known.length;
  const out = unknown ? ` ${plural(unknown, "method")} without a recorded cost or without parameters left out.` : "";
  caption("cap-cost", `Cost against quality: upper left is better. The costs are those of the machines of the runs.${out}`);
}

/** The range of a logarithmic axis, with room for the labels of the outer points. */
function padded(values) {
  const logs = values.map(Math.log10);
  const room = 0.12 * Math.max(Math.max(...logs) - Math.min(...logs), 0.5);
  return [Math.min(...logs) - room, Math.max(...logs) + room];
}

/** A ticked method keeps its colour; the others are grey. */
const appearanceOf = (method) => (state.chosen.has(method.id) ? appearance(method).color : style("--soft"));

function fillDetectors({ reference, rows, note }) {
  const titles = [
    ...["method", "mean", "difference", "p", "better", "worse"],
    ...["training, s", "scoring, s", "parameters", "published", "kind"],
  ];
  const head = titles.map((text) => element("th", { scope: "col" }, element("span", {}, text)));
  const body = rows.map((row) => detectorRow(row, row.method === reference));
  $("detectors-table").replaceChildren(
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body),
  );
  $("detectors-note").textContent = note;
}

function detectorRow(row, isReference) {
  const { label, cells } = data.methods[row.method];
  const [mean] = cells.auroc.at(-1);
  const name = isReference ? element("b", {}, label) : label;
  const costs = Object.keys(COSTS).map((key) => costCell(row.cost[key]));
  return element(
    "tr",
    {},
    element("th", { scope: "row", title: label }, name),
    element("td", { "data-value": mean }, figures(mean)),
    ...differenceCells(row, isReference),
    ...costs,
    publishedCell(row.published),
    element("td", {}, row.kind || "–"),
  );
}

/** Difference, p and the counts of classes; dashes for the reference, or why there are none. */
function differenceCells({ differences, better, worse }, isReference) {
  const found = differences[MEAN];
  if (!found) {
    const text = isReference ? "–" : missing("not on the same test samples");
    return Array.from({ length: 4 }, (_, i) => element("td", {}, i && !isReference ? "–" : text));
  }
  const [more, less] = [better, worse].map((classes) =>
    element("td", { title: classes.join(", ") || null }, String(classes.length)),
  );
  const spread = element("span", { class: "pm" }, plusMinus(found.high - found.difference));
  return [
    element(
      "td",
      { title: `95 % interval ${intervalOf(found)}`, "data-value": found.difference },
      signed(found.difference),
      spread,
    ),
    element("td", { class: found.p < LEVEL ? "best" : null }, probability(found.p)),
    more,
    less,
  ];
}

const costText = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));

function costCell(value) {
  if (value === null) return element("td", {}, missing("not recorded"));
  return element("td", { "data-value": value }, costText(value));
}

function publishedCell(published) {
  if (!published) return element("td", {}, missing("none known"));
  const { value, source, differs } = published;
  return element("td", { title: differs || "the official split" }, `${figures(value)} (${source}${differs ? "*" : ""})`);
}
