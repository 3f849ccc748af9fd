// The panel that a cell of the table opens: the value, its interval, and every run behind it.

function openDetails(method, column) {
  const isMean = isMeanColumn(column);
  const { role, columns } = setting();
  const place = isMean ? "mean over classes" : `${role} ${columns[column]}`;
  $("details-title").textContent = `${method.label}: ${place}`;
  const lines = detailLines(method, column).map((line) => element("p", { class: "muted" }, line));
  const runs = runsOf(method, column).slice(0, 200);
  const list = element("ul", {}, ...runs.map((number) => runItem(method, data.runs[number], isMean)));
  $("details-body").replaceChildren(...lines, list);
  $("details").hidden = false;
  state.opener = document.activeElement;
  $("close").focus();
}

function detailLines(method, column) {
  const [mean, deviation, n, low, high] = cellsOf(method)[column];
  const total = setting().classes.length;
  const lines = [];
  if (mean !== null) {
    const interval = low === null ? "" : `, 95 % interval ${figures(low)} to ${figures(high)}`;
    const seeds = n === 1 ? "seed" : "seeds";
    lines.push(`${metricTitle()} ${figures(mean)}${plusMinus(deviation)}, n = ${n} ${seeds}${interval}`);
  }
  if (isMeanColumn(column)) lines.push(`${method.classes} of ${total} ${total === 1 ? "column" : "classes"}`);
  return lines;
}

function runItem(method, run, isMean) {
  const place = Object.keys(data.metrics).indexOf(state.metric);
  const values = run.metrics[method.term];
  const cls = isMean && run.class ? `, ${run.class}` : "";
  const value = run.state === "done" && values ? figures(values[place]) : run.state;
  const error = run.error ? ` (${run.error})` : "";
  return element("li", {}, `seed ${run.seed}${cls}: ${value}${error} `, element("code", {}, run.folder));
}

/** Closes the panel, and gives the focus back to the cell that opened it. */
function closeDetails() {
  if ($("details").hidden) return;
  $("details").hidden = true;
  if (state.opener && document.contains(state.opener)) state.opener.focus();
}
