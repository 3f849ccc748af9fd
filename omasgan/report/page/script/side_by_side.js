// Two runs side by side: what they were, their histograms, learning curves, ROC curves and pictures.

/** The legend of a ROC curve stands where the curve is not. */
const ROC_LEGEND = { x: 0.98, xanchor: "right", y: 0.05, yanchor: "bottom" };

/** A run's name in the choices and the captions. */
function runName(run) {
  const cls = run.class ? ` · ${data.settings[run.setting]?.role ?? ""} ${run.class}` : "";
  return `${run.name || run.folder}${cls} · seed ${run.seed}${run.state === "done" ? "" : ` (${run.state})`}`;
}

/** Both sides: the last letter of their elements' ids, and their name, run, colour and dash. */
const sides = () => [
  { id: "a", name: "left", run: data.runs[state.runA], color: palette()[0], dash: "solid" },
  { id: "b", name: "right", run: data.runs[state.runB], color: palette()[2], dash: "dash" },
];

/** Fills the choice of the runs; at first two finished runs of one class are chosen, with pictures if there are any. */
function fillSide() {
  const found = data.runs.map((run, id) => ({ ...run, id })).filter((run) => run.setting === state.setting);
  found.sort((a, b) => byText(a.name, b.name) || a.seed - b.seed || a.id - b.id);
  const done = found.filter((run) => run.state === "done");
  const drawn = done.filter((run) => Object.keys(run.pictures).length);
  const first = drawn[0] || done[0] || found[0] || {};
  const others = [...done, ...found].filter((run) => run.id !== first.id);
  const alike = others.filter((run) => run.class === first.class);
  state.runA = first.id;
  state.runB = (alike.find((run) => run.name !== first.name) || alike[0] || others[0] || first).id;
  const options = found.map((run) => [run.id, runName(run), run.folder]);
  fillSelect("run-a", options, state.runA);
  fillSelect("run-b", options, state.runB);
  fillSideTerms();
}

/** Fills the choice of the score and of the learning curve with those that either run has. */
function fillSideTerms() {
  const runs = sides()
    .map(({ run }) => run)
    .filter(Boolean);
  const terms = runs.flatMap((run) => Object.keys(run.histograms));
  fillKeeping("side-term", [...new Set(terms)], "full");
  fillKeeping("side-curve", curveNames(runs), "task1: loss/G");
}

/** Fills a choice, and keeps what was chosen before if it is still offered. */
function fillKeeping(id, options, preferred) {
  const kept = $(id).value;
  fillSelect(
    id,
    options.map((option) => [option, option]),
    options.includes(preferred) ? preferred : options.at(-1),
  );
  if (options.includes(kept)) $(id).value = kept;
}

function drawSide() {
  const term = $("side-term").value;
  for (const { id, run } of sides()) {
    if (!run) {
      $(`meta-${id}`).replaceChildren("no run");
      draw(`fig-hist-${id}`, [], {});
      continue;
    }
    fillFacts(id, run, term);
    drawHistogram(id, run, term);
    fillPictures(id, run);
  }
  const [left, right] = sides().map(({ run }) => run);
  fillDifferingSettings(left, right);
  fillBothScores();
  drawSamples(left, right, term);
  drawCurves();
  drawRocs(term);
}

/** Above the figures: the run's name, folder, metrics, error, time and the measures of its tasks. */
function fillFacts(id, run, term) {
  const facts = [];
  const values = run.metrics[term]?.map((value) => figures(value));
  if (values) {
    const [auroc, auprc, balanced, fpr95, low, high] = values;
    const bounds = `(${low} to ${high}, bootstrap)`;
    const anomalies = run.tested.length ? `, anomalies: ${run.tested.join(", ")}` : "";
    const others = `AUPRC ${auprc}, at 1:1 ${balanced}, FPR95 ${fpr95}`;
    facts.push(`${term} (${run.split}${anomalies}): AUROC ${auroc} ${bounds}, ${others}`);
  }
  if (run.error) facts.push(`failed: ${run.error}`);
  if (run.seconds.fit !== undefined) facts.push(`trained in ${run.seconds.fit} s; ${run.made}`);
  for (const [name, measures] of Object.entries(run.support)) {
    facts.push(
      `${name}: ${Object.entries(measures)
        .map(([key, value]) => measureText(key, value))
        .join(", ")}`,
    );
  }
  const lines = facts.flatMap((fact) => [element("br"), fact]);
  const folder = element("code", {}, run.folder);
  $(`meta-${id}`).replaceChildren(element("b", {}, runName(run)), element("br"), folder, ...lines);
}

function measureText(key, value) {
  const values = [value].flat().map((one) => (typeof one === "number" ? figures(one) : plain(one)));
  return `${key.replaceAll("_", " ")} ${values.join(" / ")}`;
}

function drawHistogram(id, run, term) {
  const histogram = run.histograms[term];
  const traces = histogram ? ["normal", "abnormal"].map((kind) => histogramTrace(histogram, kind)) : [];
  const { x, y } = histogramRanges(run, term);
  draw(`fig-hist-${id}`, traces, {
    barmode: "overlay",
    bargap: 0,
    xaxis: { title: { text: `${term || "no"} score` }, showgrid: false, range: x },
    yaxis: { title: { text: "share of samples" }, tickformat: ".0%", range: y },
  });
}

/** The ranges of a histogram's axes, which the histograms of one class share. */
function histogramRanges(run, term) {
  const alike = sides().filter((side) => side.run && side.run.class === run.class);
  const found = alike.map((side) => side.run.histograms[term]).filter(Boolean);
  if (!found.length) return {};
  const highest = Math.max(...found.flatMap(({ normal, abnormal }) => [...normal, ...abnormal])) / 1000;
  const x = [Math.min(...found.map(({ low }) => low)), Math.max(...found.map(({ high }) => high))];
  return { x, y: [0, 1.05 * highest] };
}

/** The bars of the normal or the abnormal samples; the data hold shares in thousandths. */
function histogramTrace(histogram, kind) {
  const shares = histogram[kind];
  const width = (histogram.high - histogram.low) / shares.length;
  return {
    type: "bar",
    name: kind,
    x: shares.map((_, i) => histogram.low + (i + 0.5) * width),
    y: shares.map((share) => share / 1000),
    width,
    marker: { color: KINDS[theme()][kind], line: { width: 0 } },
    opacity: 0.6,
    hovertemplate: `${kind}, score %{x:.3g}: %{y:.1%}<extra></extra>`,
  };
}

function fillPictures(id, run) {
  const shown = Object.entries(run.pictures).map(([name, url]) => {
    const title = data.pictures[name];
    const image = element("img", { src: url, alt: `${title} of ${runName(run)}` });
    return element("figure", {}, image, element("figcaption", {}, `${title}, ${runName(run)}`));
  });
  const none = element("p", { class: "muted small" }, noPictures(run));
  $(`pictures-${id}`).replaceChildren(...(shown.length ? shown : [none]));
}

function noPictures(run) {
  if (run.state !== "done") return "";
  const left = plural(data.pictures_left_out, "run");
  const why = data.pictures_left_out ? ` (${left} left out; report.pictures sets how many are embedded)` : "";
  return `No picture of this run is in the page${why}; its plots lie in ${run.folder}/plots.`;
}

/** The colour and dash of a side's line. */
function sideLine({ color, dash }) {
  return { type: "scatter", mode: "lines", line: { color, width: 1.5, dash } };
}

/** The curve of both runs, by the axis and with the smoothing that are chosen for the learning curves. */
function drawCurves() {
  const key = $("side-curve").value;
  const [stage, name] = key.split(/: (.*)/);
  const traces = sides().flatMap((side) => {
    const curve = side.run && curveOf(side.run, key);
    const title = `${side.name}: ${runName(side.run)}`;
    return curve ? [{ ...sideLine(side), name: title, ...curve, hovertemplate: "%{x}: %{y:.3g}<extra></extra>" }] : [];
  });
  draw("fig-curves", traces, {
    xaxis: { title: { text: curveAxis(stage) } },
    yaxis: { title: { text: name } },
    legend: { orientation: "h", y: -0.28, yanchor: "top", x: 0, font: { size: 10 } },
    margin: { l: 52, r: 14, t: 12, b: 90 },
  });
}

function drawRocs(term) {
  const shown = sides().filter(({ run }) => run && run.rocs[term]);
  const logarithmic = $("roc-x").value === "log";
  const fewest = 1 / Math.max(...shown.map(({ run }) => run.normals), 1);
  const traces = shown.map((side) => ({
    ...sideLine(side),
    name: `${side.name}: ${figures(side.run.metrics[term][0])}`,
    x: data.roc_rates,
    y: side.run.rocs[term],
    hovertemplate: "FPR %{x:.2~g}, TPR %{y:.3f}<extra></extra>",
  }));
  const chance = { ...diagonal(), x: data.roc_rates, y: data.roc_rates };
  draw("fig-roc", traces.length ? [...traces, chance] : [], {
    xaxis: {
      title: { text: "false-positive rate" },
      ...(logarithmic ? { type: "log", range: [Math.log10(fewest), 0], dtick: 1 } : { range: [0, 1] }),
    },
    yaxis: { title: { text: `true-positive rate, ${term}` }, range: [0, 1.02] },
    legend: logarithmic ? { x: 0.02, xanchor: "left", y: 0.98, yanchor: "top" } : ROC_LEGEND,
    margin: { l: 52, r: 14, t: 12, b: 50 },
  });
}
