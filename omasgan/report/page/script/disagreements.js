// Two runs against each other: the settings and scores in which they differ, the samples on which they disagree.

/** Samples that are shown as pictures. */
const MOST_PICTURED = 12;

/** What a run was made with, as far as any two runs of the page differ. */
function madeWith(run) {
  const told = { ...data.configurations[run.configuration], seed: run.seed };
  if (run.class) told[`${setting().role} class`] = run.class;
  return { ...told, version: run.made };
}

/** Fills a table of two runs; `rows` are [name, left, right, ...]. */
function fillTwo(id, titles, rows, none) {
  const head = titles.map((text) => element("th", { scope: "col" }, element("span", {}, text)));
  const body = rows.map(([name, ...cells]) => {
    const texts = cells.map((text) => element("td", {}, text));
    return element("tr", {}, element("th", { scope: "row" }, name), ...texts);
  });
  const nothing = element("tr", {}, element("td", { colspan: titles.length, class: "left" }, none));
  const filled = element("tbody", {}, ...(body.length ? body : [nothing]));
  $(id).replaceChildren(element("thead", {}, element("tr", {}, ...head)), filled);
}

/** The value of a setting as the table of settings shows it. */
function settingText(value) {
  if (value === undefined) return "–";
  return Array.isArray(value) ? value.join(", ") : plain(value);
}

/** The settings that differ, and only those. */
function fillDifferingSettings(left, right) {
  const [a, b] = [left, right].map((run) => (run ? madeWith(run) : {}));
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const rows = keys.map((key) => [key, settingText(a[key]), settingText(b[key])]);
  const differing = rows.filter(([, one, other]) => one !== other);
  fillTwo("side-settings", ["setting", "left", "right"], differing, "The two runs have the same settings.");
}

/** Every score of both runs, in the metric that is chosen for the whole page. */
function fillBothScores() {
  const [left, right] = sides().map(({ run }) => run);
  const place = Object.keys(data.metrics).indexOf(state.metric);
  const value = (run, term) => run?.metrics[term]?.[place] ?? null;
  const terms = new Set([left, right].flatMap((run) => Object.keys(run?.metrics ?? {})));
  const rows = [...terms].map((term) => {
    const [a, b] = [value(left, term), value(right, term)];
    const difference = a === null || b === null ? "–" : signed(b - a);
    return [data.headings[term], figures(a), figures(b), difference];
  });
  fillTwo("side-scores", [metricTitle(), "left", "right", "right minus left"], rows, "Neither run is finished.");
}

/** A run's column, which is "all" where there are no classes. */
const columnOf = (run) => run.class || "all";

/**
 * The samples on which two runs are compared, the most disputed first: each with its place among those of its class,
 * and the share of all test samples that have a lower score in the left and in the right run.
 */
function disputes(left, right, term) {
  if (!left?.shares[term] || !right?.shares[term] || columnOf(left) !== columnOf(right)) return [];
  const [a, b] = [left, right].map((run) => [...bytesOf(run.shares[term])].map((byte) => byte / 255));
  const found = a.map((share, place) => ({ place, left: share, right: b[place] }));
  return found.sort((one, other) => Math.abs(other.left - other.right) - Math.abs(one.left - one.right));
}

/** Why no samples of two runs are compared. */
function noDisputes(left, right) {
  if (left?.state !== "done" || right?.state !== "done") return "Only finished runs are compared sample by sample.";
  return columnOf(left) === columnOf(right)
    ? "These two runs do not have this score on the same test samples."
    : "Runs of different classes are not compared sample by sample: they call different samples anomalies.";
}

function drawSamples(left, right, term) {
  const found = disputes(left, right, term);
  const samples = data.samples.find((one) => one.setting === state.setting && left && one.class === columnOf(left));
  const traces = found.length ? ["normal", "abnormal"].map((kind) => samplesTrace(found, samples, kind)) : [];
  const axis = (side) => ({
    title: { text: `${side}: share of lower ${term} scores` },
    range: [-0.03, 1.03],
    tickformat: ".0%",
  });
  draw("fig-samples", traces.length ? [diagonal(), ...traces] : [], {
    xaxis: axis("left"),
    yaxis: axis("right"),
    hovermode: "closest",
    margin: { l: 60, r: 14, t: 34, b: 50 },
  });
  caption("cap-samples", found.length ? samplesCaption(found, samples) : noDisputes(left, right));
  const disputed = found.filter(({ place }) => place < samples.disputed);
  fillDisputed(disputed.slice(0, MOST_PICTURED), samples);
}

/** The line on which left and right agree. */
function diagonal() {
  const line = { color: style("--soft"), width: 1, dash: "dot" };
  return { type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], line, showlegend: false, hoverinfo: "skip" };
}

function samplesCaption(found, samples) {
  const sentences = [
    "A point is a test sample; the further it is from the diagonal, the more the two runs disagree on it.",
    `Of all test samples, ${found.length} are drawn: the ${samples.disputed} on which the runs of this class disagree`,
    "most, and others evenly spaced. The pictures are those of the former on which these two disagree most.",
  ];
  return sentences.join(" ");
}

const percent = (share) => `${Math.round(100 * share)} %`;

/** A sample's name: that of its file, or its place in the official split. */
const sampleName = (samples, place) => samples.names[place] ?? `sample ${samples.index[place]}`;

const kindOf = (samples, place) => (samples.abnormal[place] ? "abnormal" : "normal");

function samplesTrace(found, samples, kind) {
  const of = found.filter(({ place }) => kindOf(samples, place) === kind);
  const said = ({ place, left, right }) => {
    const who = `<b>${sampleName(samples, place)}</b>, class ${samples.classes[place]}, ${kind}`;
    return `${who}<br>left ${percent(left)}, right ${percent(right)}`;
  };
  return {
    type: "scatter",
    mode: "markers",
    name: kind,
    x: of.map(({ left }) => left),
    y: of.map(({ right }) => right),
    marker: { color: KINDS[theme()][kind], size: 6, symbol: kind === "normal" ? "circle" : "diamond", opacity: 0.75 },
    text: of.map(said),
    hovertemplate: "%{text}<extra></extra>",
  };
}

/** The most disputed samples, as pictures where the page has them. */
function fillDisputed(found, samples) {
  const cards = found.map(({ place, left, right }) => {
    const about = element("b", {}, samples.classes[place]);
    const title = sampleName(samples, place);
    const shares = [`left ${percent(left)}`, `right ${percent(right)}`].flatMap((text) => [element("br"), text]);
    const said = element("figcaption", {}, about, `, ${kindOf(samples, place)}`, ...shares);
    return element("figure", { title }, tile(samples, place, title), said);
  });
  const lacking = cards.length && !samples.sheet?.url;
  const reason = lacking ? samples.sheet?.reason || "report.pictures=0 leaves them out" : "";
  const note = reason ? element("p", { class: "muted small" }, `There are no pictures: ${reason}.`) : "";
  $("disputed").replaceChildren(...cards, note);
}

/** The picture of a sample, cut from the sheet of its class; without a sheet, the sample's name. */
function tile({ sheet }, place, title) {
  if (!sheet?.url) return element("div", { class: "tile none" }, title);
  const share = (number, of) => (of > 1 ? (100 * number) / (of - 1) : 0);
  const x = share(place % sheet.columns, sheet.columns);
  const y = share(Math.floor(place / sheet.columns), sheet.rows);
  const size = `${100 * sheet.columns}% ${100 * sheet.rows}%`;
  const cut = `background-image:url(${sheet.url});background-size:${size};background-position:${x}% ${y}%`;
  return element("div", { class: "tile", role: "img", "aria-label": title, style: cut });
}
