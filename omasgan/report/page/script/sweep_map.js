// A sweep over two settings: a map of the means, or of a search the surface between its trials.

/** Cells that are labelled with their values at most. */
const MOST_LABELLED = 80;

/** The points by their values of two settings, as a map from the place of the cell. */
function cellsOfMap(points, x, y) {
  const found = new Map();
  for (const point of points) {
    const key = `${x.values.indexOf(point.method.varied[x.key])} ${y.values.indexOf(point.method.varied[y.key])}`;
    found.set(key, [...(found.get(key) ?? []), point]);
  }
  return found;
}

/** The settings other than those of the map, as one text. */
const othersOf = ({ method }, keys) => JSON.stringify(keys.map((key) => method.varied[key] ?? null));

function drawMap({ points, lacking }, keys) {
  const methods = [...points, ...lacking].map(({ method }) => method);
  const [x, y] = ["map-x", "map-y"].map((id) => axisOf($(id).value, methods));
  if (isSearch(points)) drawSurface(points, x, y, keys.length - 2);
  else drawGrid(points, lacking, x, y, keys);
}

/** A map with a cell for every two values: the mean over those of the other settings that every cell has. */
function drawGrid(points, lacking, x, y, keys) {
  const rest = keys.filter((key) => key !== x.key && key !== y.key);
  const cells = cellsOfMap(points, x, y);
  const common = new Set(shared([...cells.values()].map((of) => new Set(of.map((point) => othersOf(point, rest))))));
  const without = cellsOfMap(lacking, x, y);
  const grid = y.values.map((_, j) => x.values.map((__, i) => cellOfMap(cells.get(`${i} ${j}`), common, rest)));
  const reasons = grid.map((row, j) => row.map((of, i) => (of ? "" : reasonOf(without.get(`${i} ${j}`)))));
  const range = colourRange(grid.flat().filter(Boolean), points);
  draw("fig-map", [mapTrace(grid, reasons, x, y, range)], {
    xaxis: placesAxis(x),
    yaxis: placesAxis(y),
    shapes: defaultCell(x, y),
    annotations: narrow()
      ? []
      : reasons.flatMap((row, j) => row.flatMap((text, i) => (text ? [emptyNote(i, j, text)] : []))),
    margin: { l: 60, r: 10, t: 12, b: 50 },
  });
  mapCaption(grid, reasons, range, x, y, common.size, rest);
}

/** The mean of a cell over the points with the common values of the other settings; null where it lacks one. */
function cellOfMap(points, common, rest) {
  if (!points) return null;
  const found = points.filter((point) => common.has(othersOf(point, rest)));
  if (found.length < common.size) return null;
  return { mean: mean(found.map((point) => point.mean)), points: found };
}

/** Why a cell is empty: what the settings there lack, or that none was run. */
function reasonOf(lacking) {
  if (!lacking) return "not run with all that the other cells have";
  return lacksText(lacking[0]);
}

/** The classes, or the classes and seeds, that a setting lacks. */
function lacksText({ lacks, all }) {
  if (!all.size) return "no finished run";
  const columns = classesOf(lacks);
  const seeds = (column) =>
    lacks.filter((cell) => Number(cell.split(" ")[0]) === column).map((cell) => cell.split(" ")[1]);
  const whole = (column) => ![...all.keys()].some((cell) => Number(cell.split(" ")[0]) === column);
  const name = (column) => setting().classes[column] + (whole(column) ? "" : ` (seed ${seeds(column).join(", ")})`);
  const more = columns.length > 4 ? ` and ${columns.length - 3} more` : "";
  return `lacks ${columns
    .slice(0, more ? 3 : 4)
    .map(name)
    .join(", ")}${more}`;
}

/** The ends of the colours: those of the means, but at least as far apart as the interval of a mean is wide. */
function colourRange(cells, points) {
  const means = cells.map((cell) => cell.mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const noise = seedNoise(points);
  const width = noise === null ? NARROWEST_COLOURS : Math.max(2 * noise.half, 1e-3);
  const missing = Math.max(width - (high - low), 0) / 2;
  return { low: low - missing, high: high + missing, width, noise, widened: missing > 0 };
}

/** How far apart the ends of the colours are at least where there is one seed, and so no deviation over seeds. */
const NARROWEST_COLOURS = 0.02;

/** Marks of the colour scale, at round numbers. */
function colourTicks({ low, high }) {
  const step = niceStep((high - low) / 6 || 1e-3);
  const first = Math.ceil(low / step - 1e-9);
  const values = Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  const digits = Math.max(2, -Math.floor(Math.log10(step) + 1e-9));
  return { tickvals: values, ticktext: values.map((value) => figures(value, digits)) };
}

/** An axis with one place for every value that was tried. */
function placesAxis({ key, values }) {
  const ticktext = values.map(tidy);
  return { title: { text: key }, tickvals: values.map((_, i) => i), ticktext, showgrid: false, ticks: "" };
}

const cellText = ({ mean: value, points }) => figures(value, points[0].digits);

function mapTrace(grid, reasons, x, y, range) {
  const title = (i, j) => `${shortKey(x.key)} ${tidy(x.values[i])}, ${shortKey(y.key)} ${tidy(y.values[j])}`;
  const behind = ({ points }) => {
    const runs = new Set(points.flatMap(({ method }) => method.runs.flat()));
    return `${points.length > 1 ? `${points.length} combinations of the other settings, ` : ""}${plural(runs.size, "run")}`;
  };
  const hover = (cell, i, j) =>
    `<b>${title(i, j)}</b><br>${cell ? `${cellText(cell)}<br>${behind(cell)}` : reasons[j][i]}`;
  const labelled = x.values.length * y.values.length <= MOST_LABELLED;
  return {
    type: "heatmap",
    z: grid.map((row) => row.map((cell) => (cell ? cell.mean : null))),
    customdata: grid.map((row, j) => row.map((cell, i) => hover(cell, i, j))),
    hovertemplate: "%{customdata}<extra></extra>",
    text: grid.map((row) => row.map((cell) => (cell && labelled ? cellText(cell) : ""))),
    texttemplate: "%{text}",
    textfont: { size: 11 },
    zmin: range.low,
    zmax: range.high,
    colorscale: SCALE,
    reversescale: state.metric === "fpr95",
    xgap: 2,
    ygap: 2,
    colorbar: colourBar(range),
  };
}

const colourBar = (range) => ({
  thickness: 10,
  outlinewidth: 0,
  tickfont: { size: 10 },
  ...colourTicks(range),
  title: { text: metricTitle(), side: "right", font: { size: 11 } },
});

/** A frame round the cell of the defaults. */
function defaultCell(x, y) {
  const [i, j] = [x, y].map((axis) => (defaultOf(axis).tried ? axis.values.indexOf(defaultOf(axis).value) : -1));
  if (i < 0 || j < 0) return [];
  const line = { color: style("--focus"), width: 2.5 };
  return [{ type: "rect", x0: i - 0.48, x1: i + 0.48, y0: j - 0.48, y1: j + 0.48, line }];
}

/** Why a cell is empty, in its place. */
const emptyNote = (x, y, text) => {
  const shown = text.startsWith("lacks") ? cut(text, 16) : "not run";
  return { x, y, text: shown, showarrow: false, font: { size: 10, color: style("--soft") } };
};

function mapCaption(grid, reasons, range, x, y, others, rest) {
  const empty = reasons.flatMap((row, j) => row.map((text, i) => [text, i, j])).filter(([text]) => text);
  const named = empty.slice(0, 4).map(([text, i, j]) => `${tidy(x.values[i])} × ${tidy(y.values[j])} ${text}`);
  const more = empty.length > named.length ? `; and ${empty.length - named.length} more` : "";
  const width = figures(range.width);
  const sentences = [
    `Mean ${metricTitle()} by ${x.key} and ${y.key}, ${setting().on}.`,
    rest.length
      ? `A cell is the mean over ${plural(others, "combination")} of the other settings, the same for all cells.`
      : "",
    range.noise === null
      ? `The colours span at least ${width}; there is one seed, so how far chance alone moves a cell is not known.`
      : `The colours span at least ${width}, the width of the 95 % interval of a cell over its seeds` +
        `${range.widened ? ", within which all cells lie." : "."}`,
    defaultCell(x, y).length ? "The frame marks the defaults." : [x, y].map(defaultText).filter(Boolean).join(" "),
    empty.length ? `Empty: ${named.join("; ")}${more}.` : "",
  ];
  caption("cap-map", sentences.filter(Boolean).join(" "));
}
