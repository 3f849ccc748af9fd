// A sweep over one setting: the mean with its interval over seeds, and a thin line for each class.

function drawLine(points, cells, key) {
  const axis = axisOf(
    key,
    points.map(({ method }) => method),
  );
  const sorted = [...points].sort((a, b) => axis.at(a.method.varied[key]) - axis.at(b.method.varied[key]));
  const x = sorted.map(({ method }) => axis.at(method.varied[key]));
  const classes = classesOf(cells);
  const lines = classes.length > 1 ? classes.map((column) => classLine(sorted, x, column)) : [];
  draw("fig-line", [...lines, meanLine(sorted, x, key)], {
    xaxis: plotlyAxis(axis),
    yaxis: { title: { text: metricTitle() } },
    shapes: defaultShapes(axis),
    annotations: [...defaultNotes(axis), ...classNotes(lines)],
    margin: { l: 56, r: lines.length ? 40 : 14, t: 30, b: 50 },
    showlegend: false,
    hovermode: "closest",
  });
  lineCaption(sorted, cells, axis);
}

/** The values of a class, moved so that their mean is that of all classes where the reader wants this. */
function classLine(points, x, column) {
  const values = points.map((point) => point.byClass.get(column));
  const shift = $("line-centred").checked ? mean(points.map((point) => point.mean)) - mean(values) : 0;
  const name = setting().classes[column];
  return {
    type: "scatter",
    mode: "lines",
    name,
    x,
    y: values.map((value) => value + shift),
    line: { color: style("--soft"), width: 0.8 },
    opacity: 0.6,
    text: values.map((value) => `${setting().role} ${name}: ${figures(value)}`),
    hovertemplate: "%{text}<extra></extra>",
  };
}

/** The names of the classes at the ends of their lines, moved apart where they would cover each other. */
function classNotes(lines) {
  const values = lines.flatMap(({ y }) => y);
  const least = ((Math.max(...values) - Math.min(...values)) * 11) / ($("fig-line").clientHeight - 80);
  const sorted = [...lines].sort((a, b) => a.y.at(-1) - b.y.at(-1));
  let last = -Infinity;
  return sorted.map((line) => {
    last = Math.max(line.y.at(-1), last + least);
    const place = { x: line.x.at(-1), y: last, xanchor: "left", xshift: 6, showarrow: false };
    return { ...place, text: cut(line.name, 8), font: { size: 9.5, color: style("--soft") } };
  });
}

function meanLine(points, x, key) {
  const color = style("--accent");
  const interval = ({ half }) => (half === null ? "" : ` ± ${figures(half)}`);
  const hover = (point) =>
    `<b>${shortKey(key)} ${tidy(point.method.varied[key])}</b><br>mean ${point.text}${interval(point)}`;
  return {
    type: "scatter",
    mode: "lines+markers",
    name: "mean",
    x,
    y: points.map((point) => point.mean),
    error_y: { type: "data", array: points.map(({ half }) => half ?? 0), thickness: 1.4, width: 5, color },
    line: { color, width: 2.4 },
    marker: { color, size: 8 },
    text: points.map(hover),
    hovertemplate: "%{text}<extra></extra>",
  };
}

/** A line at the default of a setting, where it lies on the axis. */
function defaultShapes(axis) {
  const { known, value } = defaultOf(axis);
  return known && onAxis(axis, value) ? [{ ...vertical(axis.at(value), style("--ink")), line: DOTTED() }] : [];
}

const DOTTED = () => ({ color: style("--ink"), width: 1.2, dash: "dot" });

const onAxis = (axis, value) =>
  axis.values.includes(value) || (axis.numbers && typeof value === "number" && between(axis, axis.at(value)));

const between = ({ low, high }, place) => place >= low && place <= high;

function defaultNotes(axis) {
  const { known, value } = defaultOf(axis);
  if (!known || !onAxis(axis, value)) return [];
  const last = axis.at(value) > (axis.low + axis.high) / 2;
  const text = `default ${tidy(value)}`;
  const place = { x: axis.at(value), yref: "paper", y: 1, yanchor: "bottom", xanchor: last ? "right" : "left" };
  return [{ ...place, text, showarrow: false, font: { size: 11, color: style("--ink") } }];
}

/** What the figure says of the default of a setting. */
function defaultText(axis) {
  const { known, value, tried } = defaultOf(axis);
  if (!known) return `The default of ${axis.key} is not known here.`;
  return tried ? "" : `The default of ${axis.key}, ${tidy(value)}, was not tried.`;
}

function lineCaption(points, cells, axis) {
  const seeds = seedsOf(cells).length;
  const known = points.some(({ half }) => half !== null);
  const classes = classesOf(cells).length;
  const sentences = [
    `Mean ${metricTitle()} by ${axis.key}, ${setting().on}.`,
    known
      ? `Bars are the 95 % interval of the mean over ${seeds} seeds (Student's t).`
      : "There are no intervals over seeds, as there is one seed.",
    classes > 1 ? `Thin lines are the ${classes} classes` : "",
    classes > 1 ? ($("line-centred").checked ? ", moved up or down to the mean." : ".") : "",
    axis.log && axis.values.includes(0) ? "The axis is logarithmic but for 0." : "",
    defaultText(axis),
  ];
  caption(
    "cap-line",
    sentences
      .filter(Boolean)
      .join(" ")
      .replace(/ ([,.])/g, "$1"),
  );
}
