// The paired comparison of two methods on the same test samples.

const Z95 = 1.959963984540054;

// By setting: the deviations of all differences, (methods, methods, columns), as 32-bit floats.
const deviationsOf = new Map();

/** The deviations of the setting that is shown. They are written as bfloat16, the upper half of a float's bits. */
function deviations() {
  if (!deviationsOf.has(state.setting)) {
    const halves = new Uint16Array(bytesOf(setting().pairs.deviation).buffer);
    const bits = Uint32Array.from(halves, (half) => half << 16);
    deviationsOf.set(state.setting, new Float32Array(bits.buffer));
  }
  return deviationsOf.get(state.setting);
}

/** The complementary error function, by Numerical Recipes' rational Chebyshev fit: a relative error below 1.2e-7. */
function erfc(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const coefficients = [
    ...[-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806],
    ...[0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277],
  ];
  const [constant, ...rest] = coefficients;
  const tail = t * Math.exp(-x * x + constant + t * rest.reduceRight((sum, one) => one + t * sum));
  return x >= 0 ? tail : 2 - tail;
}

/** Those of the compared classes that the setting's means are over. */
const inMean = (found) => found.filter((one) => setting().averaged.includes(one.name));

/** Compares two methods on every class that both have, then in the mean over those that the setting's means are over. */
function compare(first, second) {
  const { methods } = setting().pairs;
  const { columns } = setting();
  const start = (methods.indexOf(first.id) * methods.length + methods.indexOf(second.id)) * columns.length;
  const found = [];
  columns.forEach((name, column) => {
    const deviation = deviations()[start + column];
    if (Number.isNaN(deviation)) return;
    const isMean = isMeanColumn(column);
    const difference = isMean
      ? inMean(found).reduce((sum, one) => sum + one.difference, 0) / inMean(found).length
      : first.cells.auroc[column][0] - second.cells.auroc[column][0];
    const size = Math.abs(difference);
    const p = deviation === 0 ? Number(size < 1e-9) : erfc(size / deviation / Math.SQRT2);
    const [low, high] = [difference - Z95 * deviation, difference + Z95 * deviation];
    found.push({ name, isMean, difference, low, high, p });
  });
  return found;
}

const intervalOf = (one) => `${signed(one.low)} to ${signed(one.high)}`;

/** Fills the choice of the two methods; at first the best own score of a detector and the best baseline are chosen. */
function fillPairs() {
  const able = setting()
    .pairs.methods.map((id) => data.methods[id])
    .sort(byMean);
  const own = able.find((method) => method.main && !method.baseline) || able[0];
  const other = able.find((method) => method.baseline && method !== own) || able.find((method) => method !== own);
  state.first = own && other ? own.id : null;
  state.second = own && other ? other.id : null;
  const options = able.map((method) => [method.id, method.label]);
  for (const id of ["first", "second"]) fillSelect(id, options, state[id]);
}

function drawPairs() {
  const [first, second] = [data.methods[state.first], data.methods[state.second]];
  if (!first || !second) {
    $("verdict").textContent = "No two methods here were scored on the same test samples.";
    $("pairs").replaceChildren();
    draw("fig-pairs", [], {});
    return;
  }
  const found = compare(first, second);
  const said = verdict(found);
  $("verdict").replaceChildren(element("b", {}, first.label), " minus ", element("b", {}, second.label), said);
  drawDifferences(found, first);
  fillDifferences(found, first, second);
}

/** The comparison in the mean over classes, as the end of a sentence. */
function verdict(found) {
  const mean = found.at(-1);
  if (!mean?.isMean) return ": no test samples in common.";
  const several = setting().columns.length > 2;
  const over = several ? ` in the mean over ${plural(inMean(found).length, "class", "classes")}` : "";
  const sign = mean.p < 0.001 ? "<" : "=";
  const p = `p\u00a0${sign}\u00a0${probability(mean.p).replace("< ", "")}`;
  return `: ${signed(mean.difference)} AUROC${over}, 95 % interval ${intervalOf(mean)}, ${p}.`;
}

function drawDifferences(found, first) {
  const shown = [...found].reverse(); // Plotly draws the first at the bottom
  const wide = "← second is better    difference of AUROC    first is better →";
  draw("fig-pairs", found.length ? [differencesTrace(shown, first)] : [], {
    xaxis: { title: { text: narrow() ? "difference of AUROC" : wide } },
    yaxis: { type: "category", categoryorder: "array", categoryarray: shown.map((one) => one.name) },
    shapes: [vertical(0, style("--ink"))],
    margin: { l: 60, r: 14, t: 10, b: 50 },
    showlegend: false,
  });
}

function differencesTrace(shown, first) {
  const { color } = appearance(first);
  return {
    type: "scatter",
    mode: "markers",
    x: shown.map((one) => one.difference),
    y: shown.map((one) => one.name),
    error_x: { type: "data", array: shown.map((one) => one.high - one.difference), thickness: 1.2, width: 4, color },
    marker: {
      color,
      size: shown.map((one) => (one.isMean ? 12 : 8)),
      symbol: shown.map((one) => (one.isMean ? "diamond" : "circle")),
    },
    text: shown.map((one) => `${one.name}: ${signed(one.difference)} (${intervalOf(one)}), p ${probability(one.p)}`),
    hovertemplate: "%{text}<extra></extra>",
  };
}

function fillDifferences(found, first, second) {
  const titles = ["class", "first", "second", "difference", "95 % interval", "p"];
  const head = titles.map((text) => element("th", { scope: "col" }, element("span", {}, text)));
  const body = found.map((one) => {
    const column = setting().columns.indexOf(one.name);
    const values = [first, second].map((method) => figures(method.cells.auroc[column][0]));
    const cells = [...values, signed(one.difference), intervalOf(one), probability(one.p)];
    const name = element("th", { scope: "row" }, one.name);
    return element("tr", { class: one.isMean ? "rule" : null }, name, ...cells.map((text) => element("td", {}, text)));
  });
  $("pairs").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}
