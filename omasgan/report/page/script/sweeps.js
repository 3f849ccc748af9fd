// Figure 3: the mean over the settings that a sweep varies, as two maps and as parallel coordinates.

/** The methods of a sweep: detectors without an ablation. */
const sweepable = () => members().filter((method) => !method.baseline && method.ablation === "none");

/** The methods that the figure shows: those of the chosen score, or the detectors' own scores. */
function swept() {
  const term = $("term").value;
  const shown = sweepable().filter((method) => (term === "" ? method.main : method.term === term));
  return shown.filter((method) => Object.keys(method.varied).length);
}

const shortKey = (key) => key.split(".").at(-1).replace(/_$/, "");
const byValue = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));

/** The settings that have several values. */
function sweptKeys() {
  const keys = new Map();
  for (const method of sweepable()) {
    for (const [key, value] of Object.entries(method.varied)) {
      keys.set(key, (keys.get(key) || new Set()).add(plain(value)));
    }
  }
  return [...keys].filter(([, values]) => values.size > 1).map(([key]) => key);
}

/** Fills the choices: mu and nu on the first map, mu and beta on the second, where the sweep has them. */
function fillSweeps() {
  const keys = sweptKeys();
  $("sweeps-body").hidden = keys.length === 0;
  $("sweeps-none").hidden = keys.length > 0;
  $("sweeps-none").textContent =
    "No setting of a detector varies among these runs. A sweep such as -m boundary.mu=0.1,0.2 boundary.nu=0.1,0.25 " +
    "is shown here as maps.";
  if (!keys.length) return;
  const find = (name, other) => keys.find((key) => key.endsWith(name)) || keys.find((key) => key !== other) || keys[0];
  const mu = find(".mu");
  const pairs = [
    ["x1", mu],
    ["y1", find(".nu", mu)],
    ["x2", mu],
    ["y2", find(".beta", mu)],
  ];
  const options = keys.map((key) => [key, key]);
  for (const [id, key] of pairs) fillSelect(id, options, key);
  const varied = members().filter((method) => !method.baseline && Object.keys(method.varied).length);
  const headings = new Map(varied.map((method) => [method.term, method.heading]));
  fillSelect("term", [["", "the detector's own score"], ...headings]);
}

function drawSweeps() {
  if ($("sweeps-body").hidden) return;
  drawMap("fig-map1", $("x1").value, $("y1").value);
  drawMap("fig-map2", $("x2").value, $("y2").value);
  drawParallel();
  const sentences = [
    `Mean ${metricTitle()} over classes. ${setting().note}`,
    "A cell of a map is the mean over all other settings that vary.",
    "Below, a line is one combination of settings; the stronger its colour, the better.",
  ];
  caption("cap-sweeps", 3, sentences.join(" "));
}

/** A map over two settings; a cell is the mean over all methods that have these two values. */
function drawMap(id, x, y) {
  const cells = new Map();
  const place = (a, b) => JSON.stringify([a, b]);
  for (const method of swept().filter((one) => x in one.varied && y in one.varied && meanOf(one) !== null)) {
    const key = place(method.varied[x], method.varied[y]);
    cells.set(key, [...(cells.get(key) || []), method]);
  }
  const values = (key) => {
    const found = swept()
      .filter((one) => key in one.varied)
      .map((one) => one.varied[key]);
    return [...new Set(found)].sort(byValue);
  };
  const [xs, ys] = [values(x), values(y)];
  const methods = ys.map((b) => xs.map((a) => cells.get(place(a, b)) || []));
  const hover = (a, b, found) =>
    `${shortKey(x)} ${plain(a)}, ${shortKey(y)} ${plain(b)}: ${figures(averageOf(found))}<br>${behind(found)}`;
  const text = methods.map((row, j) => row.map((found, i) => hover(xs[i], ys[j], found)));
  const trace = heatmap(
    xs,
    ys,
    methods.map((row) => row.map(averageOf)),
    text,
  );
  draw(id, cells.size ? [trace] : [], {
    xaxis: { type: "category", title: { text: x }, showgrid: false },
    yaxis: { type: "category", title: { text: y }, showgrid: false },
    margin: { l: 60, r: 10, t: 12, b: 50 },
  });
}

const averageOf = (methods) =>
  methods.length ? methods.reduce((sum, method) => sum + meanOf(method), 0) / methods.length : null;

/** How many methods and runs stand behind a cell of a map. */
function behind(methods) {
  const runs = new Set(methods.flatMap((method) => method.runs.flat()));
  return `${plural(methods.length, "combination")} of the other settings, ${plural(runs.size, "run")}`;
}

function heatmap(xs, ys, z, hover) {
  const small = xs.length * ys.length <= 64;
  return {
    type: "heatmap",
    x: xs.map(plain),
    y: ys.map(plain),
    z,
    customdata: hover,
    hovertemplate: "%{customdata}<extra></extra>",
    text: z.map((row) => row.map((value) => (value === null ? "" : figures(value)))),
    texttemplate: small ? "%{text}" : "",
    textfont: { size: 11 },
    colorscale: SCALE,
    reversescale: state.metric === "fpr95",
    xgap: 2,
    ygap: 2,
    hoverongaps: false,
    colorbar: {
      thickness: 10,
      outlinewidth: 0,
      tickfont: { size: 10 },
      title: { text: metricTitle(), side: "right", font: { size: 11 } },
    },
  };
}

/** An axis of the parallel coordinates: where a method crosses it, from 0 to 1, and its marks. */
function settingScale(key, methods) {
  const valueOf = (method) => (key in method.varied ? method.varied[key] : undefined);
  const values = [...new Set(methods.map(valueOf))].sort(byValue);
  const place = new Map(values.map((value, i) => [value, values.length > 1 ? i / (values.length - 1) : 0.5]));
  const ticks = values.map((value) => [place.get(value), plain(value ?? "–")]);
  return { name: shortKey(key), at: (method) => place.get(valueOf(method)), ticks };
}

/** The last axis: the mean. */
function meanScale(methods) {
  const means = methods.map((method) => meanOf(method));
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const at = (method) => (high > low ? (meanOf(method) - low) / (high - low) : 0.5);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => [share, figures(low + share * (high - low))]);
  return { name: metricTitle(), at, ticks };
}

function drawParallel() {
  const found = swept().filter((method) => meanOf(method) !== null);
  const mean = meanScale(found);
  const scales = [...sweptKeys().map((key) => settingScale(key, found)), mean];
  const sorted = [...found].sort((a, b) => -byMean(a, b)); // the best are drawn over the others
  const traces = sorted.map((method) => parallelTrace(method, scales, mean, sorted.length > 60 ? 1 : 1.6));
  draw("fig-parallel", traces, {
    xaxis: {
      tickvals: scales.map((_, i) => i),
      ticktext: scales.map((scale) => scale.name),
      range: [-0.3, scales.length - 0.7],
      showgrid: true,
      gridcolor: style("--soft"),
      side: "top",
      ticks: "",
    },
    yaxis: { visible: false, range: [-0.06, 1.06] },
    annotations: scales.flatMap((scale, i) => scaleMarks(scale, i, i === scales.length - 1)),
    margin: { l: 20, r: 20, t: 40, b: 10 },
    hovermode: "closest",
  });
}

function parallelTrace(method, scales, mean, width) {
  const share = mean.at(method);
  const color = mixed(LINES[theme()], state.metric === "fpr95" ? 1 - share : share);
  return {
    type: "scatter",
    mode: "lines+markers",
    x: scales.map((_, i) => i),
    y: scales.map((scale) => scale.at(method)),
    line: { color, width, shape: "spline", smoothing: 0.5 },
    marker: { size: 4, color },
    opacity: 0.8,
    text: scales.map(() => `<b>${figures(meanOf(method))}</b> ${method.name}`),
    hovertemplate: "%{text}<extra></extra>",
    showlegend: false,
  };
}

/** The values beside an axis: on its left, or on the right for the last axis. */
function scaleMarks(scale, x, last) {
  const side = last ? { xanchor: "left", xshift: 6 } : { xanchor: "right", xshift: -6 };
  const same = { ...side, showarrow: false, font: { size: 10, color: style("--soft") }, bgcolor: style("--paper") };
  return scale.ticks.map(([y, text]) => ({ x, y, text, ...same }));
}
