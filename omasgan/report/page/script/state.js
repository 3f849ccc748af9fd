"use strict";
// What the page knows: its data, what the reader has chosen, and the methods that follow from both.

/** The column of the mean over classes, as the data name it. */
const MEAN = "mean";
/** Rows that a table shows before the reader asks for all. */
const ROWS_AT_FIRST = 100;
/** Methods that figure 1 draws at most. */
const MOST_TRACES = 12;
/** The scores of the ablation, in the order of the method's tasks. */
const TERMS = ["task1", "task3", "j", "full"];

/** The content of the page, as Python wrote it; filled when the page starts. */
let data;

/** What the reader has chosen. A method or a run is named by its place in `data.methods` or `data.runs`. */
const state = {
  section: "",
  setting: 0,
  metric: "auroc",
  chosen: new Set(),
  sort: { column: -1, down: true },
  all: false,
  opener: null,
  first: null,
  second: null,
  runA: null,
  runB: null,
  runsSort: { column: "state", down: false },
  runsAll: false,
  settingsAll: false,
};

const setting = () => data.settings[state.setting];
const metricTitle = () => data.metrics[state.metric];

/** The methods of the setting that is shown. */
const members = () => data.methods.filter((method) => method.setting === state.setting);

/** A method's cells: one a class, then that of the mean. A cell is [mean, deviation, n, low, high]. */
const cellsOf = (method, metric = state.metric) => method.cells[metric];
const meanOf = (method, metric = state.metric) => cellsOf(method, metric).at(-1)[0];

/** Orders methods from the best mean to the worst; those without a mean come last. */
function byMean(a, b) {
  const sign = state.metric === "fpr95" ? 1 : -1;
  return (meanOf(a) === null) - (meanOf(b) === null) || sign * (meanOf(a) - meanOf(b)) || a.id - b.id;
}

/** The ticked methods of the setting, the best first. */
const chosen = () =>
  members()
    .filter((method) => state.chosen.has(method.id))
    .sort(byMean);

/**
 * The methods that are ticked at first: the baselines, and the scores of the ablation of up to two detectors; of more
 * detectors, the own scores of the best four.
 */
function headline() {
  const baselines = members().filter((method) => method.baseline);
  const own = members().filter((method) => !method.baseline && meanOf(method, "auroc") !== null);
  const main = own.filter((method) => method.main).sort(byMean);
  const names = new Set(main.map((method) => method.name));
  const best =
    names.size <= 2
      ? own.filter((method) => names.has(method.name) && (method.main || TERMS.includes(method.term)))
      : main.slice(0, 4);
  return [...best, ...baselines].slice(0, MOST_TRACES).map((method) => method.id);
}

/** The paper's own mean in the metric that is shown, or nothing where it gives none. */
function publishedMean() {
  const { published } = setting();
  return published && { auroc: published.full, auprc_balanced: published.auprc_balanced }[state.metric];
}
