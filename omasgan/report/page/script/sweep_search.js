// A search as optuna shows one: its history, the importance of the settings, and the surface between the trials.

const isSearch = (points) => points.length > 0 && points.every(({ trial }) => trial !== null);

/** The surface between the trials over two settings. */
function drawSurface(points, x, y, others) {
  const surface = {
    type: "contour",
    ...surfaceOf(points, x, y),
    connectgaps: true,
    colorscale: SCALE,
    reversescale: state.metric === "fpr95",
    line: { width: 0.5, color: style("--paper") },
    hoverinfo: "skip",
    colorbar: colourBar(colourRange(points, points)),
  };
  const hover = (point) => `trial ${point.trial}: <b>${point.text}</b><br>${valuesText(point.method)}`;
  const trials = {
    type: "scatter",
    mode: "markers",
    x: points.map(({ method }) => x.at(method.varied[x.key])),
    y: points.map(({ method }) => y.at(method.varied[y.key])),
    marker: { size: 7, color: "#111", line: { width: 1.2, color: "#fff" } },
    text: points.map(hover),
    hovertemplate: "%{text}<extra></extra>",
  };
  const [best] = points;
  const star = { symbol: "star", size: 15, color: style("--focus"), line: { width: 1, color: "#fff" } };
  const first = { ...trials, x: [trials.x[0]], y: [trials.y[0]], text: [hover(best)], marker: star };
  draw("fig-map", [surface, trials, first], {
    xaxis: { ...plotlyAxis(x), showgrid: false },
    yaxis: { ...plotlyAxis(y), showgrid: false },
    shapes: defaultCross(x, y),
    margin: { l: 60, r: 10, t: 12, b: 50 },
    showlegend: false,
    hovermode: "closest",
  });
  const which = others === 1 ? "The other setting differs" : "The other settings differ";
  const rest = others > 0 ? `${which} from trial to trial.` : "";
  const defaults = defaultCross(x, y).length ? "Dotted lines mark the defaults." : "";
  const told = "Dots are the trials, the star is the best of them; the colours between them are interpolated.";
  caption(
    "cap-map",
    [`Mean ${metricTitle()} by ${x.key} and ${y.key}, ${setting().on}. ${told}`, rest, defaults]
      .filter(Boolean)
      .join(" "),
  );
}

/** The means of the trials at their places, with gaps between them. */
function surfaceOf(points, x, y) {
  const [xs, ys] = [x, y].map((axis) => [...new Set(axis.values.map(axis.at))].sort((a, b) => a - b));
  const sums = ys.map(() => xs.map(() => []));
  for (const { method, mean: value } of points) {
    sums[ys.indexOf(y.at(method.varied[y.key]))][xs.indexOf(x.at(method.varied[x.key]))].push(value);
  }
  return { x: xs, y: ys, z: sums.map((row) => row.map((values) => (values.length ? mean(values) : null))) };
}

/** Lines at the defaults of both settings. */
function defaultCross(x, y) {
  const across = defaultShapes(x);
  const upwards = defaultShapes(y).map(({ x0, line }) => ({ ...horizontal(x0), line }));
  return [...across, ...upwards];
}

/** The values that tell a method from others of its sweep. */
const valuesText = (method) =>
  Object.entries(method.varied)
    .map(([key, value]) => `${shortKey(key)} ${tidy(value)}`)
    .join(", ");

/** The history: the mean of each trial in their order, and the best so far. */
function drawHistory(points, lacking) {
  const trials = [...points].sort((a, b) => a.trial - b.trial);
  const better = state.metric === "fpr95" ? Math.min : Math.max;
  const sofar = trials.map((_, i) =>
    trials.slice(0, i + 1).reduce((best, point) => better(best, point.mean), trials[0].mean),
  );
  const early = lacking.map((one) => ({ ...one, trial: trialOf(one.method) })).filter(({ trial }) => trial !== null);
  const low = Math.min(...trials.map((point) => point.mean));
  const dots = {
    type: "scatter",
    mode: "markers",
    name: "trial",
    x: trials.map(({ trial }) => trial),
    y: trials.map((point) => point.mean),
    marker: { size: 7, color: style("--accent") },
    text: trials.map((point) => `trial ${point.trial}: <b>${point.text}</b><br>${valuesText(point.method)}`),
    hovertemplate: "%{text}<extra></extra>",
  };
  const line = { shape: "hv", color: style("--focus"), width: 1.6 };
  const steps = { type: "scatter", mode: "lines", name: "best so far", x: dots.x, y: sofar, line, hoverinfo: "skip" };
  const stopped = {
    ...dots,
    name: "not on all classes",
    x: early.map(({ trial }) => trial),
    y: early.map(() => low),
    marker: { size: 7, symbol: "x-thin-open", color: style("--soft") },
    text: early.map((one) => `trial ${one.trial}: ${lacksText(one)}<br>${valuesText(one.method)}`),
  };
  draw("fig-history", [steps, dots, ...(early.length ? [stopped] : [])], {
    xaxis: { title: { text: "trial" }, tickformat: "d", showgrid: false },
    yaxis: { title: { text: metricTitle() } },
    showlegend: true,
    margin: { l: 56, r: 14, t: narrow() ? 14 : 36, b: 46 },
    hovermode: "closest",
  });
  const told = early.length
    ? `Crosses are ${plural(early.length, "trial")} without all classes (pruned, failed or interrupted), which have no mean.`
    : "";
  caption("cap-history", `History of the search: mean ${metricTitle()} of each trial, ${setting().on}. ${told}`);
}

/** How much each setting matters: its main effect in a grid, its importance in a search. */
function drawImportance(keys, search) {
  const facts = sweepFacts();
  const effects = facts.effects[state.metric]?.[$("term").value] ?? [];
  const found = search
    ? Object.entries(facts.importances).map(([key, share]) => ({ key, share, text: figures(share, 2) }))
    : effects
        .filter(([key]) => keys.includes(key))
        .map(([key, span, share]) => ({ key, share, text: `${figures(share, 2)} (${figures(span)})` }));
  const shown = found.sort((a, b) => a.share - b.share);
  const trace = {
    type: "bar",
    orientation: "h",
    x: shown.map(({ share }) => share),
    y: shown.map(({ key }) => key),
    text: shown.map(({ text }) => text),
    textposition: "outside",
    cliponaxis: false,
    marker: { color: style("--accent") },
    hovertemplate: "%{y}: %{x:.3f}<extra></extra>",
  };
  $("fig-importance").style.height = `${90 + 34 * Math.max(shown.length, 1)}px`;
  draw("fig-importance", shown.length ? [trace] : [], {
    xaxis: {
      range: [0, Math.max(...shown.map(({ share }) => share), 0.01) * 1.25],
      title: { text: importanceTitle(search) },
    },
    yaxis: { type: "category" },
    margin: { l: 20, r: 20, t: 8, b: 46 },
    showlegend: false,
  });
  caption("cap-importance", importanceText(facts, search));
}

const importanceTitle = (search) => (search ? "importance" : "share of the variance of the means");

function importanceText(facts, search) {
  if (search) {
    return `Importance of each setting by functional ANOVA of the complete trials (optuna). Objective: ${facts.objective}.`;
  }
  const mixed = facts.grid
    ? "The rest is due to their interactions."
    : "Not all combinations have been run, so the effects of several settings may be mixed.";
  const span = "in brackets, how far apart the best and the worst value of a setting are";
  return `Main effect of each setting: the share of the variance of the means that its values account for; ${span}. ${mixed}`;
}
