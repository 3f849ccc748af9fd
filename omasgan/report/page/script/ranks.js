// The ticked methods ranked class by class: the critical-difference diagram, the values by class, and every two methods.

/** Methods that are ranked at most, as omasgan/report/ranking.py does. */
const MOST_RANKED = 20;
const LEVEL = 0.05;
const ROW_HEIGHT = 26;

/** Ranks the ticked methods on the classes that they have in common; null where there is nothing to rank. */
function ranking() {
  const shown = chosen().slice(0, MOST_RANKED);
  const names = setting().classes;
  const have = (method) => new Set([...names.keys()].filter((column) => cellsOf(method)[column][0] !== null));
  const classes = shared(shown.map(have)).sort((a, b) => a - b);
  const lacks = (method) => classes.filter((column) => cellsOf(method)[column][0] === null);
  const able = shown.filter((method) => !lacks(method).length);
  const lacking = shown.filter((method) => lacks(method).length).map((method) => [method, lacks(method)]);
  if (able.length < 2 || classes.length < 2) return null;

  const sign = state.metric === "fpr95" ? 1 : -1;
  const byClass = classes.map((column) => ranksOf(able.map((method) => sign * cellsOf(method)[column][0])));
  const ranked = able.map((method, i) => {
    const ranks = byClass.map((all) => all[i]);
    const values = classes.map((column) => cellsOf(method)[column][0]);
    return { method, ranks, values, mean: mean(ranks) };
  });
  ranked.sort((a, b) => a.mean - b.mean);
  const critical = data.quantiles.range[ranked.length - 2] * criticalFactor(ranked.length, classes.length);
  const p = friedman(ranked.map((one) => one.ranks));
  return { ranked, classes: classes.map((column) => names[column]), lacking, critical, p, pairs: comparePairs(ranked) };
}

const criticalFactor = (k, n) => Math.sqrt((k * (k + 1)) / (6 * n));

/** Every two methods: on how many classes the first is the better and the worse, and Wilcoxon's p by Holm's correction. */
function comparePairs(ranked) {
  const found = ranked.flatMap((first, i) =>
    ranked.slice(i + 1).map((second, more) => {
      const wins = first.ranks.filter((rank, c) => rank < second.ranks[c]).length;
      const losses = first.ranks.filter((rank, c) => rank > second.ranks[c]).length;
      const raw = signedRank(first.values.map((value, c) => value - second.values[c]));
      return { i, j: i + 1 + more, wins, losses, raw };
    }),
  );
  const corrected = holm(found.map((pair) => pair.raw));
  return found.map((pair, place) => ({ ...pair, p: corrected[place] }));
}

/** Whether two of the ranked methods differ, by the test that is chosen. */
function differ({ ranked, critical, pairs }, i, j) {
  if ($("rank-test").value === "nemenyi") return Math.abs(ranked[i].mean - ranked[j].mean) >= critical;
  return pairs.find((pair) => pair.i === Math.min(i, j) && pair.j === Math.max(i, j)).p < LEVEL;
}

/** The first and the last of every group of neighbours of which no two differ and which no other group contains. */
function indistinguishable(found) {
  const groups = [];
  found.ranked.forEach((_, first) => {
    let last = first;
    const fitsIn = (next) => found.ranked.slice(first, next).every((__, i) => !differ(found, first + i, next));
    while (last + 1 < found.ranked.length && fitsIn(last + 1)) last += 1;
    if (last > first && (!groups.length || last > groups.at(-1)[1])) groups.push([first, last]);
  });
  return groups;
}

function drawRanks() {
  const found = ranking();
  $("ranks-body").hidden = !found;
  $("ranks-none").hidden = Boolean(found);
  $("ranks-none").textContent = "Ranks need two ticked methods that have two classes in common.";
  if (!found) return;
  $("ranks-caption").textContent = ranksText(found);
  drawDiagram(found);
  drawClassRanks(found);
  fillRankPairs(found);
}

/** What is ranked, whether the ranks differ at all, and what is left out. */
function ranksText({ ranked, classes, lacking, p }) {
  const many = `${plural(ranked.length, "ticked method")} on ${plural(classes.length, "class", "classes")}`;
  const sentences = [
    `${many}, by ${metricTitle()}; rank 1 is the best. A class counts as one observation, the mean over its seeds.`,
  ];
  if (p !== null) {
    const verdict = p < LEVEL ? "the methods differ" : "no difference is shown, whatever the tests of pairs below say";
    sentences.push(`Friedman's test of equal ranks: p ${probabilityText(p)}; ${verdict}.`);
  }
  const left = chosen().length - ranked.length - lacking.length;
  if (left > 0) sentences.push(`${plural(left, "more ticked method")} of a lower mean are left out.`);
  for (const [method, columns] of lacking) {
    sentences.push(`${method.label} is left out, as it lacks ${columns.map((c) => setting().classes[c]).join(", ")}.`);
  }
  return sentences.join(" ");
}

const probabilityText = (p) => (p < 0.001 ? "< .001" : `= ${figures(p)}`);

/** Where each method's label stands: its row, and on which side. In a narrow window no two labels share a row. */
function labelPlaces(count) {
  const half = Math.ceil(count / 2);
  return Array.from({ length: count }, (_, i) => {
    const left = i < half;
    const row = left ? i : count - 1 - i;
    return { left, row: row + (narrow() && !left ? half : 0) };
  });
}

function drawDiagram(found) {
  const { ranked, critical } = found;
  const groups = indistinguishable(found);
  const places = labelPlaces(ranked.length);
  const top = -0.5 - 0.35 * groups.length;
  const y = ({ row }) => top - 0.55 - row;
  const low = top - 1.1 - Math.max(...places.map(({ row }) => row));
  const high = $("rank-test").value === "nemenyi" ? 2 : 0.9;
  const side = narrow() ? 8 : 46 + 7 * Math.max(...ranked.map(({ method }) => cut(method.label, 36).length));
  const k = ranked.length;
  const edge = { min: 0.85, max: k + 0.15 };
  $("fig-ranks").style.height = `${Math.round((high - low) * ROW_HEIGHT + 10)}px`;
  const lines = ranked.flatMap((one, i) => elbow(one.mean, y(places[i]), places[i].left ? edge.min : edge.max));
  draw("fig-ranks", [rankPoints(found)], {
    xaxis: { visible: false, range: [edge.min, edge.max] },
    yaxis: { visible: false, range: [low, high] },
    shapes: [
      ...rankAxis(k),
      ...(high === 2 ? criticalBar(critical, k) : []),
      ...lines,
      ...groups.map((group, i) => groupLine(ranked, group, -0.5 - 0.35 * i)),
    ],
    annotations: [
      ...Array.from({ length: k }, (_, i) => note(i + 1, 0.5, String(i + 1))),
      ...ranked.map((one, i) => methodNote(one, places[i], y(places[i]))),
      ...(high === 2 ? [note(1, 1.75, `critical difference ${critical.toFixed(2)}`, "left")] : []),
    ],
    margin: { l: side, r: side, t: 4, b: 4 },
    showlegend: false,
    hovermode: "closest",
  });
  diagramCaption(found, groups);
}

const note = (x, y, text, xanchor = "center") => ({ x, y, text, xanchor, showarrow: false, font: { size: 11 } });

const segment = (x0, y0, x1, y1, color, width) => ({ type: "line", x0, y0, x1, y1, line: { color, width } });

/** The scale of ranks, with a mark for each. */
function rankAxis(k) {
  const ink = style("--ink");
  const marks = Array.from({ length: k }, (_, i) => segment(i + 1, 0, i + 1, 0.2, ink, 1));
  return [segment(1, 0, k, 0, ink, 1.2), ...marks];
}

/** From a method's place on the scale down to the row of its label, then to the side. */
const elbow = (x, y, end) => [segment(x, 0, x, y, style("--soft"), 1), segment(x, y, end, y, style("--soft"), 1)];

const groupLine = (ranked, [first, last], y) =>
  segment(ranked[first].mean - 0.04, y, ranked[last].mean + 0.04, y, style("--ink"), 4);

/** A bar as long as the critical difference, above the scale. */
function criticalBar(critical, k) {
  const ink = style("--ink");
  const end = Math.min(1 + critical, k);
  const ends = [1, end].map((x) => segment(x, 1.05, x, 1.35, ink, 1.2));
  return [segment(1, 1.2, end, 1.2, ink, 1.6), ...ends];
}

function methodNote({ method, mean: value }, { left }, y) {
  const inside = narrow();
  const text = left ? `${cut(method.label, 36)}  ${value.toFixed(2)}` : `${value.toFixed(2)}  ${cut(method.label, 36)}`;
  return {
    xref: "paper",
    x: left ? 0 : 1,
    xanchor: left === inside ? "left" : "right",
    y,
    text,
    showarrow: false,
    font: { size: 11.5 },
    bgcolor: style("--paper"),
    borderpad: 2,
  };
}

/** The methods on the scale, in their colours; they carry the hover text. */
function rankPoints({ ranked, classes }) {
  const colours = ranked.map(({ method }) => appearance(method).color);
  const hover = ({ method, ranks, mean: value }) => {
    const each = classes.map((name, c) => `${name}: ${ranks[c]}`).join(", ");
    return `<b>${method.label}</b><br>mean rank ${value.toFixed(2)}<br>${each}`;
  };
  return {
    type: "scatter",
    mode: "markers",
    x: ranked.map((one) => one.mean),
    y: ranked.map(() => 0),
    marker: { color: colours, size: 9, line: { width: 1, color: style("--paper") } },
    text: ranked.map(hover),
    hovertemplate: "%{text}<extra></extra>",
    cliponaxis: false,
  };
}

function diagramCaption({ ranked, classes, critical }, groups) {
  const joined = groups.length ? "Thick lines join methods of which no two differ" : "All methods differ";
  const count = (ranked.length * (ranked.length - 1)) / 2;
  const smallest = Math.min(count * 2 ** (1 - classes.length), 1);
  const nemenyi = `by Nemenyi's test at 5 %: their mean ranks are less than ${critical.toFixed(2)} apart.`;
  const out = "so with so few classes no pair of so many methods can be told apart by this test.";
  const able = smallest < LEVEL ? "" : ` The smallest p that is possible here is ${figures(smallest)}, ${out}`;
  const wilcoxon = `by Wilcoxon's signed-rank test at 5 %, corrected by Holm for ${plural(count, "pair")}.${able}`;
  const test = $("rank-test").value === "nemenyi" ? nemenyi : wilcoxon;
  const shared = "The classes of one data set share their normal samples, so they are not independent observations.";
  caption("cap-ranks", `Critical-difference diagram of the mean ranks. ${joined}, ${test} ${shared}`);
}

/** The values by class, coloured by their ranks. */
function drawClassRanks({ ranked, classes }) {
  const shown = [...ranked].reverse(); // Plotly draws the first at the bottom
  const roomy = $("fig-matrix").clientWidth / (classes.length + 4) > 34;
  const text = shown.map(({ values, ranks }) => (roomy ? values.map((value) => figures(value)) : ranks.map(String)));
  $("fig-matrix").style.height = `${60 + 27 * shown.length}px`;
  const names = shown.map(({ method }) => cut(method.label, narrow() ? 20 : 44));
  const labels = new Map(shown.map((_, i) => [i, names[i]]));
  const trace = {
    type: "heatmap",
    x: classes,
    y: shown.map((_, i) => i),
    z: shown.map(({ ranks }) => ranks),
    zmin: 1,
    zmax: ranked.length,
    colorscale: SCALE,
    reversescale: true,
    text,
    texttemplate: "%{text}",
    textfont: { size: 11 },
    xgap: 1,
    ygap: 1,
    customdata: shown.map(({ method, values, ranks }) =>
      classes.map((name, c) => `<b>${method.label}</b><br>${name}: ${figures(values[c])}, rank ${ranks[c]}`),
    ),
    hovertemplate: "%{customdata}<extra></extra>",
    showscale: false,
  };
  draw("fig-matrix", [trace], {
    xaxis: { type: "category", side: "top", showgrid: false, ticks: "" },
    yaxis: { tickvals: [...labels.keys()], ticktext: [...labels.values()], showgrid: false, ticks: "" },
    margin: { l: 10, r: 4, t: 30, b: 6 },
  });
  const what = roomy ? `A cell is the ${metricTitle()}, its colour the rank` : "A cell is the rank";
  caption("cap-matrix", `${what} on that class: the lighter, the better. Ties share the mean of their ranks.`);
}

/** The table of every two methods: the classes that the row wins and loses, and the corrected p. */
function fillRankPairs({ ranked, pairs }) {
  const head = ["", ...ranked.slice(0, -1).map((_, i) => String(i + 1))];
  const titles = head.map((text, i) =>
    element("th", { scope: "col", title: i ? ranked[i - 1].method.label : null }, element("span", {}, text)),
  );
  const rowsOf = ranked.map(({ method }, j) => {
    const cells = ranked.slice(0, -1).map((_, i) => pairCell(pairs.find((pair) => pair.i === i && pair.j === j)));
    return element(
      "tr",
      {},
      element("th", { scope: "row", title: method.label }, `${j + 1} ${method.label}`),
      ...cells,
    );
  });
  $("rank-pairs").replaceChildren(element("thead", {}, element("tr", {}, ...titles)), element("tbody", {}, ...rowsOf));
}

function pairCell(pair) {
  if (!pair) return element("td");
  const text = `${pair.losses}–${pair.wins}, p ${probability(pair.p)}`;
  return element("td", { class: pair.p < LEVEL ? "best" : null }, text);
}
