// Figure 1, the ticked methods by class, and figure 2, the ablation from Task 1 to the full score.

/** Where a column stands in figure 1: the mean stands apart from the classes. */
const placeOf = (column) => (isMeanColumn(column) && column > 1 ? column + 0.6 : column);

function drawClasses() {
  const { columns, role } = setting();
  const shown = chosen().slice(0, MOST_TRACES);
  const width = Math.min(0.62 / Math.max(shown.length, 1), 0.09);
  const traces = shown.map((method, place) => classTrace(method, (place - (shown.length - 1) / 2) * width));
  const shapes = [];
  const end = placeOf(columns.length - 1);
  if (columns.length > 2) shapes.push(vertical(end - 0.8, style("--rule")));
  if (publishedMean()) shapes.push(horizontal(publishedMean(), style("--ink"), "dash"));
  if (state.metric === "auroc") shapes.push(horizontal(0.5, style("--soft"), "dot"));
  draw("fig-classes", traces, {
    xaxis: {
      tickvals: columns.map((_, column) => placeOf(column)),
      ticktext: columns.map((name) => (name === MEAN ? "<b>mean</b>" : name)),
      range: [-0.6, end + 0.6],
      showgrid: false,
      title: { text: role ? `${role} class` : "" },
    },
    yaxis: { title: { text: metricTitle() } },
    shapes,
    annotations: publishedMean() ? [publishedNote()] : [],
    margin: { l: 52, r: 14, t: narrow() ? 14 : 60, b: 44 },
  });
  classesCaption(chosen().length - shown.length);
}

/** A method's points, moved aside by `shift` so that those of one class do not cover each other. */
function classTrace(method, shift) {
  const points = cellsOf(method)
    .map((cell, column) => ({ cell, column }))
    .filter(({ cell }) => cell[0] !== null);
  return {
    type: "scatter",
    mode: "markers",
    name: method.label,
    x: points.map(({ column }) => placeOf(column) + shift),
    y: points.map(({ cell }) => cell[0]),
    error_y: errorBars(points.map(({ cell }) => cell)),
    marker: { ...appearance(method), size: method.main ? 9 : 7, line: { width: 0 } },
    text: points.map(({ cell, column }) => classHover(method, cell, column)),
    hovertemplate: "%{text}<extra></extra>",
  };
}

function classHover(method, [mean, deviation, n], column) {
  const { role, columns } = setting();
  const value = `${role} ${columns[column]}: ${figures(mean)}${plusMinus(deviation)}, n = ${n}`;
  const runs = column < method.runs.length ? method.runs[column] : [];
  return `<b>${method.label}</b><br>${value}${runs.length ? `<br>${foldersOf(runs, 4, "<br>")}` : ""}`;
}

/** The text beside the line of the paper's own mean. */
function publishedNote() {
  return {
    xref: "paper",
    x: 0,
    xanchor: "left",
    y: publishedMean(),
    yanchor: "bottom",
    text: `OMASGAN, published mean ${figures(publishedMean(), 2)}`,
    showarrow: false,
    font: { size: 11, color: style("--ink") },
    bgcolor: style("--paper"),
    borderpad: 1,
  };
}

function classesCaption(left) {
  const sentences = [
    `${metricTitle()} ${setting().on} of the methods that are ticked in the table, by class and in the mean over classes.`,
    "Bars are ± one standard deviation over seeds or, for a single seed, the 95 % interval over test samples.",
  ];
  if (left > 0) sentences.push(`${left} more are ticked than are drawn.`);
  if (publishedMean()) sentences.push("The dashed line is the mean that the paper published.");
  caption("cap-classes", sentences.join(" "));
}

const TERM_LABELS = { task1: "Task 1", task3: "Task 3", j: "J", full: "full" };

/** The scores of all detectors that the ablation has a place for. */
const ablated = () => members().filter((method) => !method.baseline && TERMS.includes(method.term));

/** The scores of one detector that have a mean, in the order of the ablation. */
function scoresOf(name) {
  const found = ablated().filter((method) => method.name === name && meanOf(method) !== null);
  return found.sort((a, b) => TERMS.indexOf(a.term) - TERMS.indexOf(b.term));
}

/** The detectors that the ablation draws: those of the ticked methods, then the best, at most eight. */
function ablationNames() {
  const picked = new Set(
    chosen()
      .filter((method) => !method.baseline)
      .map((method) => method.name),
  );
  const best = ablated()
    .filter((method) => method.main)
    .sort(byMean)
    .map((method) => method.name);
  const names = [...new Set([...picked, ...best])].filter((name) => scoresOf(name).length > 1);
  return names.slice(0, Math.max(picked.size, 4)).slice(0, 8);
}

function drawAblation() {
  const names = ablationNames();
  const known = (state.metric === "auroc" && setting().published && setting().published.terms) || {};
  const terms = TERMS.filter((term) => term in known);
  const traces = names.map(ablationTrace);
  if (terms.length) traces.push(publishedAblation(known, terms));
  const labels = TERMS.map((term) => TERM_LABELS[term]);
  draw("fig-ablation", traces, {
    xaxis: { categoryorder: "array", categoryarray: labels, range: [-0.4, labels.length - 0.6] },
    yaxis: { title: { text: `mean ${metricTitle()}` } },
    showlegend: true,
    margin: { l: 52, r: 14, t: narrow() ? 18 : 40, b: 34 },
  });
  const which = "one line for each detector (those of the ticked methods, then the best).";
  const published = terms.length ? " The dashed line is the ablation that the paper published." : "";
  const text = `From Task 1 alone to the full score: mean ${metricTitle()} over classes ${setting().on}, ${which}${published}`;
  caption("cap-ablation", text);
}

function ablationTrace(name, place) {
  const points = scoresOf(name);
  const { color, symbol } = appearance(points.find((method) => method.main) || points[0]);
  const cells = points.map((method) => cellsOf(method).at(-1));
  const hover = (method, [mean, deviation]) => {
    const classes = plural(method.classes, "class", "classes");
    return `<b>${method.label}</b><br>mean ${figures(mean)}${plusMinus(deviation)}, ${classes}`;
  };
  return {
    type: "scatter",
    mode: "lines+markers",
    name,
    x: points.map((method) => TERM_LABELS[method.term]),
    y: cells.map((cell) => cell[0]),
    error_y: errorBars(cells),
    line: { color, width: 1.6, dash: ["solid", "dash", "dot", "dashdot"][place % 4] },
    marker: { color, symbol, size: 8 },
    text: points.map((method, i) => hover(method, cells[i])),
    hovertemplate: "%{text}<extra></extra>",
  };
}

function publishedAblation(known, terms) {
  return {
    type: "scatter",
    mode: "lines+markers+text",
    name: "OMASGAN, published",
    x: terms.map((term) => TERM_LABELS[term]),
    y: terms.map((term) => known[term]),
    text: terms.map((term) => figures(known[term], 2)),
    textposition: "bottom center",
    cliponaxis: false,
    textfont: { size: 11, color: style("--soft") },
    line: { color: style("--soft"), width: 1.2, dash: "dash" },
    marker: { color: style("--soft"), symbol: "diamond-open", size: 9 },
    hovertemplate: "published, %{x}: %{y:.2f}<extra></extra>",
  };
}
