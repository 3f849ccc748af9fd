// The list of all runs that were read.

/** States in the order in which the list shows them. */
const STATES = ["failed", "damaged", "interrupted", "running", "done"];

/** The columns: their title, and the value that they are sorted by. */
const RUN_COLUMNS = {
  state: { title: "State", value: (run) => STATES.indexOf(run.state) },
  name: { title: "Detector", value: (run) => run.name },
  class: { title: "Class", value: (run) => run.class },
  seed: { title: "Seed", value: (run) => run.seed },
  split: { title: "Samples", value: (run) => run.split ?? "" },
  auroc: { title: "AUROC", value: (run) => (run.main ? run.main[0] : -1) },
  seconds: { title: "Training, s", value: (run) => run.seconds.fit ?? -1 },
  folder: { title: "Folder", value: (run) => run.folder },
  error: { title: "Error", value: (run) => run.error },
};

/** What runs of one data set, protocol and class share: values of others are not ranked against theirs. */
const samplesOf = (run) => `${run.setting ?? -1} ${run.class}`;

/** The runs that pass the filter, sorted; `main` holds the metrics of a run's own score. */
function runRows() {
  const own = data.methods.filter((method) => method.main && !method.baseline);
  const term = new Map(own.map((method) => [method.name, method.term]));
  const mainOf = ({ name, metrics }) => metrics[term.get(name)] || metrics[Object.keys(metrics)[0]];
  const filter = $("runs-filter").value;
  const shown = data.runs.filter((run) => fits(`${run.folder} ${run.state} ${run.name} ${run.error}`, filter));
  const { column, down } = state.runsSort;
  const { value } = RUN_COLUMNS[column];
  const order = (a, b) => (typeof a === "number" ? a - b : byText(a, b));
  const found = shown.map((run) => ({ ...run, main: mainOf(run) }));
  const apart = (a, b) => (column === "auroc" ? byText(samplesOf(a), samplesOf(b)) : 0);
  return found.sort((a, b) => apart(a, b) || (down ? -1 : 1) * order(value(a), value(b)));
}

function runHeader(key, title) {
  const { column, down } = state.runsSort;
  const sort = () => {
    state.runsSort = { column: key, down: key === column ? !down : ["auroc", "seconds"].includes(key) };
    drawRuns();
    $("runs-table").querySelector(`button[data-column="${key}"]`).focus();
  };
  const classes = ["folder", "error", "name"].includes(key) ? "left" : null;
  const button = element("button", { type: "button", "data-column": key, onclick: sort }, title);
  return element("th", { scope: "col", class: classes, "aria-sort": sortedAs(key, state.runsSort) }, button);
}

function runRow(run) {
  const { main } = run;
  return element(
    "tr",
    {},
    element("td", {}, element("span", { class: `state ${run.state}` }, run.state)),
    element("td", { class: "left" }, run.name),
    element("td", {}, run.class || "–"),
    element("td", {}, String(run.seed)),
    element("td", {}, run.split ?? "–"),
    element("td", {}, main ? `${figures(main[0])} (${figures(main[4])}–${figures(main[5])})` : "–"),
    element("td", {}, run.seconds.fit === undefined ? "–" : String(run.seconds.fit)),
    element("td", { class: "path" }, run.folder),
    element("td", { class: "why" }, run.error),
  );
}

/** The table of some runs, as a table that is not in the page. */
function runsTable(shown) {
  const head = Object.entries(RUN_COLUMNS).map(([key, { title }]) => runHeader(key, title));
  const body = element("tbody", {}, ...shown.map(runRow));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), body);
}

function drawRuns() {
  const found = runRows();
  const shown = state.runsAll ? found : found.slice(0, ROWS_AT_FIRST);
  $("runs-table").replaceChildren(...runsTable(shown).children);
  fillMore("runs-more", plural(found.length, "run"), found.length, shown.length, () => {
    state.runsAll = true;
    drawRuns();
  });
}

/** How many runs there are of each state: "80 done, 4 failed". */
function counts() {
  const number = (name) => data.runs.filter((run) => run.state === name).length;
  const present = [...STATES].reverse().filter((name) => number(name));
  return present.map((name) => `${number(name).toLocaleString("en")} ${name}`).join(", ");
}
