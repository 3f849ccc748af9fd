// What a sweep measured: its settings, each with its values on the classes and seeds that the settings share.

const shortKey = (key) => key.split(".").at(-1).replace(/_$/, "");

/** A setting's value as text, with four figures at most: 0.3 and not 0.30000000000000004. */
function tidy(value) {
  if (value === undefined) return "–";
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : plain(value);
}

/** Orders values: numbers by size, then words, then what is missing. */
function byValue(a, b) {
  const kind = (one) => (typeof one === "number" ? 0 : one === undefined ? 2 : 1);
  return kind(a) - kind(b) || (kind(a) === 0 ? a - b : byText(String(a), String(b)));
}

const detectorOf = (method) => method.name.split(" ")[0];

/** The methods of the setting that differ from others of their detector by settings alone, without ablations. */
const sweepable = () => members().filter((one) => one.ablation === "none" && Object.keys(one.varied).length);

/** What Python found out about the sweep of a detector: default values, effects, importances. */
const sweepFacts = () =>
  data.sweeps.find((one) => one.setting === state.setting && one.detector === $("sweep-detector").value);

/** The methods that the figures show: those of the chosen score, or the detector's own score. */
function swept() {
  const term = $("term").value;
  return sweepable()
    .filter((method) => detectorOf(method) === $("sweep-detector").value)
    .filter((method) => (term === "" ? method.main : method.term === term));
}

/** The settings that vary, without those that follow from another, such as a width from the option that sets it. */
function sweptKeys() {
  const methods = swept();
  const keys = [...new Set(methods.flatMap((method) => Object.keys(method.varied)))];
  const values = new Map(keys.map((key) => [key, methods.map(({ varied }) => JSON.stringify(varied[key]) ?? "")]));
  const varying = keys.filter((key) => new Set(values.get(key)).size > 1);
  const isOption = (key) => methods.some(({ varied }) => typeof varied[key] === "string");
  const kept = [];
  for (const key of [...varying].sort((a, b) => isOption(b) - isOption(a))) {
    if (!kept.some((other) => isOption(other) && follows(values.get(key), values.get(other)))) kept.push(key);
  }
  return varying.filter((key) => kept.includes(key));
}

/** Whether each value of the other setting comes with one value of this. */
function follows(values, others) {
  const partner = new Map();
  return others.every((other, i) => partner.set(other, partner.get(other) ?? values[i]).get(other) === values[i]);
}

/** A method's values by class and seed, as a map from "column seed"; of several runs the newest counts, as in Python. */
function valuesOf(method) {
  const place = Object.keys(data.metrics).indexOf(state.metric);
  const values = new Map();
  method.runs.forEach((runs, column) => {
    for (const number of runs) {
      const run = data.runs[number];
      const value = run.state === "done" ? run.metrics[method.term]?.[place] : undefined;
      const cell = `${column} ${run.seed}`;
      if (value !== undefined && value !== null && !values.has(cell)) values.set(cell, value);
    }
  });
  return values;
}

/** The mean over classes of the mean over seeds, and the deviation over the seeds that have every class. */
function overSeeds(values) {
  const classes = new Map();
  for (const [cell, value] of values) {
    const [column, seed] = cell.split(" ");
    if (!classes.has(column)) classes.set(column, new Map());
    classes.get(column).set(seed, value);
  }
  const each = [...classes.values()];
  const seeds = [...each[0].keys()].filter((seed) => each.every((of) => of.has(seed)));
  const deviation = standardDeviation(seeds.map((seed) => mean(each.map((of) => of.get(seed)))));
  const byClass = new Map([...classes].map(([column, of]) => [Number(column), mean([...of.values()])]));
  return { mean: mean([...byClass.values()]), deviation, n: seeds.length, byClass };
}

/** Means that are all closer together than this are told by four digits. */
const CLOSE = 0.02;

/**
 * The settings of the sweep, the best first. Each point has its method, its values on the classes and seeds that the
 * settings share, their mean, the deviation and number of seeds, half the width of the interval over them, and the
 * mean as text. The others lack some of these.
 */
function sweepPoints() {
  const found = swept().map((method) => ({ method, all: valuesOf(method) }));
  const cells = shared(found.map(({ all }) => new Set(all.keys())));
  const points = [];
  const lacking = [];
  for (const { method, all } of found) {
    const lacks = cells.filter((cell) => !all.has(cell));
    if (lacks.length || !cells.length) lacking.push({ method, lacks, all });
    else {
      const values = new Map(cells.map((cell) => [cell, all.get(cell)]));
      const point = { method, values, ...overSeeds(values), trial: trialOf(method) };
      points.push({ ...point, half: halfWidth(point.deviation, point.n) });
    }
  }
  const sign = state.metric === "fpr95" ? 1 : -1;
  points.sort((a, b) => sign * (a.mean - b.mean) || a.method.id - b.method.id);
  const digits = points.length && Math.abs(points[0].mean - points.at(-1).mean) < CLOSE ? 4 : 3;
  for (const point of points) Object.assign(point, { digits, text: figures(point.mean, digits) });
  return { points, lacking, cells };
}

/** The trial of a search that a method is; nothing where its runs are of no search. */
function trialOf(method) {
  const trials = method.runs.flat().map((number) => data.runs[number].trial ?? null);
  return trials.length && !trials.includes(null) ? Math.min(...trials) : null;
}

/** Half the width of the 95 % interval of a mean by the deviation over seeds of all settings; nothing for one seed. */
function seedNoise(points) {
  const known = points.filter((point) => point.deviation !== null);
  if (!known.length) return null;
  const degrees = sum(known.map(({ n }) => n - 1));
  const deviation = Math.sqrt(sum(known.map((point) => (point.n - 1) * point.deviation ** 2)) / degrees);
  return { half: (studentT(degrees) * deviation) / Math.sqrt(Math.min(...known.map(({ n }) => n))) };
}

const classesOf = (cells) => [...new Set(cells.map((cell) => Number(cell.split(" ")[0])))];
const seedsOf = (cells) => [...new Set(cells.map((cell) => cell.split(" ")[1]))];

/** Whether positive values are spaced more evenly by their logarithms than by their size. */
function isGeometric(values) {
  const positive = values.filter((value) => value > 0);
  if (positive.length < 2 || values.some((value) => value < 0)) return false;
  const gaps = (of) => of.slice(1).map((value, i) => value - of[i]);
  const uneven = (of) => (of.length < 2 ? 0 : standardDeviation(of) / mean(of));
  if (positive.length === 2) return positive[1] / positive[0] >= 4;
  return uneven(gaps(positive.map(Math.log))) < uneven(gaps(positive)) && positive.at(-1) / positive[0] >= 4;
}

/**
 * An axis for a setting: its values in order, where each lies, and its marks. Geometric values lie at their logarithms,
 * with 0 one step before the first; words lie one apart.
 */
function axisOf(key, methods) {
  const values = [...new Set(methods.map((method) => method.varied[key]))].sort(byValue);
  const numbers = values.every((value) => typeof value === "number");
  const log = numbers && isGeometric(values);
  const positive = values.filter((value) => value > 0);
  const step = Math.log10(positive.at(-1) / positive[0]) / Math.max(positive.length - 1, 1);
  const inLog = (value) => (value > 0 ? Math.log10(value) : Math.log10(positive[0]) - step);
  const at = log ? inLog : numbers ? (value) => value : (value) => values.findIndex((one) => one === value);
  return { key, values, numbers, log, at, low: at(values[0]), high: at(values.at(-1)) };
}

/** The values that an axis marks: each that was tried where they are few, else round ones; none closer than `least`. */
function ticksOf(axis, least = 0.07) {
  const span = axis.high - axis.low || 1;
  const wanted = !axis.numbers || axis.values.length <= 12 ? axis.values : roundValues(axis);
  const kept = [];
  for (const value of wanted) {
    if (!kept.length || (axis.at(value) - axis.at(kept.at(-1))) / span >= least) kept.push(value);
  }
  return kept;
}

/** Round numbers between the ends of an axis: 1, 2 and 5 times powers of ten on a logarithmic one. */
function roundValues({ values, log }) {
  const [first, last] = [values.find((value) => !log || value > 0), values.at(-1)];
  if (!log) {
    const step = niceStep((last - first) / 5);
    return Array.from({ length: Math.floor(last / step) - Math.ceil(first / step) + 1 }, (_, i) =>
      Number(((Math.ceil(first / step) + i) * step).toPrecision(10)),
    );
  }
  const powers = Array.from({ length: 40 }, (_, i) => i - 20);
  const every = powers.flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)));
  return every.filter((value) => value >= first && value <= last);
}

/** The round number (1, 2 or 5 times a power of ten) next above. */
function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= size * (1 - 1e-9));
}

/** A Plotly axis in the positions of `axisOf`. */
function plotlyAxis(axis, { least = 0.07, pad = 0.06 } = {}) {
  const ticks = ticksOf(axis, least);
  const room = (axis.high - axis.low || 1) * pad;
  return {
    title: { text: `${axis.key}${axis.log ? " (logarithmic)" : ""}` },
    tickvals: ticks.map(axis.at),
    ticktext: ticks.map(tidy),
    range: [axis.low - room, axis.high + room],
  };
}

/** The default of a setting, {value, known, tried}. */
function defaultOf(axis) {
  const facts = sweepFacts();
  const known = facts !== undefined && axis.key in facts.defaults;
  const value = known ? facts.defaults[axis.key] : undefined;
  return { known, value, tried: known && axis.values.includes(value) };
}
