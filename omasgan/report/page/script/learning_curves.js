// Learning curves: what the runs of the ticked detectors recorded, by step or by wall time.

/** Runs that are drawn as lines of their own at most. */
const MOST_LINES = 60;
/** Points of a median over runs that were not recorded at the same steps or times. */
const MEDIAN_POINTS = 150;

/** The curves that some run of the setting recorded, as "stage: name". */
function curveNames(runs) {
  const found = new Set();
  for (const { curves } of runs) {
    for (const [stage, groups] of Object.entries(curves)) {
      for (const { values } of groups) for (const name of Object.keys(values)) found.add(`${stage}: ${name}`);
    }
  }
  return [...found];
}

const runsOfSetting = () => data.runs.filter((run) => run.setting === state.setting);

function fillLearning() {
  fillKeeping("curve", curveNames(runsOfSetting()), "task1: loss/G");
  const { classes, role } = setting();
  const known = role ? classes.filter((name) => runsOfSetting().some((run) => run.class === name)) : [];
  fillSelect("curve-class", [["", "all classes"], ...known.map((name) => [name, name])], known[0] ?? "");
}

/** Exponential smoothing as TensorBoard's: a running mean whose start is not drawn towards zero. */
function smoothed(values, weight) {
  let [sum, total] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}

/** A run's curve as it is drawn, {x, y}; nothing where the run did not record it. */
function curveOf(run, key) {
  const [stage, name] = key.split(/: (.*)/);
  const group = (run.curves[stage] ?? []).find(({ values }) => name in values);
  if (!group) return null;
  return { x: group[$("curve-x").value], y: smoothed(group.values[name], Number($("smoothing").value)) };
}

/** The value of a curve at x, between its points on a straight line; null before, behind and beside what is known. */
function valueAt({ x, y }, at) {
  const after = x.findIndex((one) => one >= at);
  if (after < 0) return null;
  if (x[after] === at) return y[after];
  if (after === 0 || y[after] === null || y[after - 1] === null) return null;
  const share = (at - x[after - 1]) / (x[after] - x[after - 1]);
  return y[after - 1] + share * (y[after] - y[after - 1]);
}

/** Where the median of curves is drawn: at the points of the curves, or evenly spaced where these are too many. */
function gridOf(curves) {
  const points = [...new Set(curves.flatMap(({ x }) => x))].sort((a, b) => a - b);
  if (points.length <= 2 * MEDIAN_POINTS) return points;
  const [low, high] = [points[0], points.at(-1)];
  return Array.from({ length: MEDIAN_POINTS }, (_, i) => low + ((high - low) * i) / (MEDIAN_POINTS - 1));
}

/** The median of curves, and the lowest and the highest of them, point by point. */
function spread(curves) {
  const points = gridOf(curves).map((x) => {
    const values = curves.map((curve) => valueAt(curve, x)).filter((value) => value !== null);
    values.sort((a, b) => a - b);
    const middle = (values.length - 1) / 2;
    const median = (values[Math.floor(middle)] + values[Math.ceil(middle)]) / 2;
    return { x, n: values.length, median, low: values[0], high: values.at(-1) };
  });
  return points.filter(({ n }) => n > 0);
}

/** The ticked detectors, by name, each with the method that gives its colour. */
function tickedDetectors() {
  const found = new Map();
  for (const method of chosen().filter(({ baseline }) => !baseline)) {
    if (!found.has(method.name) || method.main) found.set(method.name, method);
  }
  return [...found];
}

function medianTraces(name, { color }, curves) {
  const points = spread(curves);
  const x = points.map((point) => point.x);
  const same = { type: "scatter", mode: "lines", legendgroup: name, x };
  const edge = { ...same, line: { width: 0, color }, showlegend: false, hoverinfo: "skip" };
  const said = ({ median, low, high, n }) =>
    `${threeFigures(median)} (${threeFigures(low)} to ${threeFigures(high)}, ${plural(n, "run")})`;
  const hover = { text: points.map(said), hovertemplate: `<b>${name}</b><br>%{x}: %{text}<extra></extra>` };
  const line = { ...same, ...hover, name, y: points.map((point) => point.median), line: { color, width: 1.8 } };
  const band = [
    { ...edge, y: points.map((point) => point.low) },
    { ...edge, y: points.map((point) => point.high), fill: "tonexty", fillcolor: `${color}26` },
  ];
  return [...(curves.length > 1 ? band : []), line];
}

const threeFigures = (value) => Number(value.toPrecision(3)).toString();

function runTraces(name, { color }, runs, curves) {
  return curves.map(({ x, y }, i) => ({
    type: "scatter",
    mode: "lines",
    legendgroup: name,
    name,
    showlegend: i === 0,
    x,
    y,
    line: { color, width: 1 },
    opacity: 0.75,
    hovertemplate: `<b>${runName(runs[i])}</b><br>%{x}: %{y:.3g}<extra></extra>`,
  }));
}

/** The traces of one detector: its median and band, or a line for each of the first `most` runs. */
function detectorTraces(name, method, most) {
  const [key, cls, each] = [$("curve").value, $("curve-class").value, $("each-run").checked];
  const known = runsOfSetting().filter((run) => run.name === name && (!cls || run.class === cls) && curveOf(run, key));
  const runs = each ? known.slice(0, most) : known;
  const curves = runs.map((run) => curveOf(run, key));
  const look = appearance(method);
  const traces = each ? runTraces(name, look, runs, curves) : medianTraces(name, look, curves);
  return { traces: runs.length ? traces : [], drawn: runs.length, left: known.length - runs.length };
}

function drawLearning() {
  const [stage, name] = $("curve").value.split(/: (.*)/);
  $("smoothing-value").textContent = $("smoothing").value;
  const found = { traces: [], drawn: 0, left: 0 };
  const detectors = tickedDetectors().slice(0, MOST_TRACES);
  for (const [detector, method] of detectors) {
    const more = detectorTraces(detector, method, Math.floor(MOST_LINES / detectors.length));
    found.traces.push(...more.traces);
    found.drawn += more.drawn;
    found.left += more.left;
  }
  draw("fig-learning", found.traces, {
    xaxis: { title: { text: curveAxis(stage) } },
    yaxis: { title: { text: name } },
    showlegend: true,
    hovermode: "closest",
    margin: { l: 52, r: 14, t: narrow() ? 14 : 40, b: 44 },
  });
  caption("cap-learning", learningCaption(found));
}

/** The title of the axis of a stage's curves. */
const curveAxis = (stage) =>
  $("curve-x").value === "steps" ? `step of ${stage}` : `seconds since the first record of ${stage}`;

function learningCaption({ drawn, left }) {
  const over = $("curve-class").value || !setting().role ? "over seeds" : "over seeds and classes";
  const lines = $("each-run").checked
    ? `Each line is a run; there are ${drawn}.`
    : `A line is the median ${over}; its band reaches from the lowest run to the highest.`;
  const sentences = ["These are the detectors whose scores are ticked in the table.", lines];
  if (left) sentences.push(`${plural(left, "more run")} ${left === 1 ? "is" : "are"} not drawn.`);
  if (Number($("smoothing").value)) sentences.push("Smoothing is exponential, over the points of each run.");
  return sentences.join(" ");
}
