// What all figures share: the layout, and drawing with Plotly.

/** While figures are made but not drawn: the id of the one that is wanted, and then its traces and its layout. */
let capturing = null;

/** Makes figures without drawing them; returns the traces and the layout of one of them. */
function withoutDrawing(work, id = null) {
  capturing = { id, figure: null };
  try {
    work();
    return capturing.figure;
  } finally {
    capturing = null;
  }
}

const narrow = () => window.innerWidth < 640 && !capturing;

/** A Plotly layout in the page's fonts and colours; `more` replaces parts of it. */
function layout(more = {}) {
  const axis = {
    gridcolor: style("--grid"),
    linecolor: style("--soft"),
    zeroline: false,
    automargin: true,
    ticks: "outside",
    tickcolor: style("--soft"),
    ticklen: 4,
    fixedrange: true,
  };
  const place = narrow() ? { y: -0.3, yanchor: "top" } : { y: 1.02, yanchor: "bottom" };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style("--sans"), size: 12, color: style("--ink") },
    margin: { l: 52, r: 14, t: 34, b: 44 },
    hoverlabel: { font: { family: style("--sans"), size: 12 }, align: "left" },
    legend: { orientation: "h", x: 0, xanchor: "left", ...place, font: { size: 11 } },
    ...more,
    xaxis: { ...axis, ...more.xaxis },
    yaxis: { ...axis, ...more.yaxis },
  };
}

/** While the page starts: the figures out of view, by id, which are drawn one by one. */
let waiting = new Map();

/** Whether some of a figure is in the window. */
function isInView(id) {
  const { top, bottom } = $(id).getBoundingClientRect();
  return top < window.innerHeight && bottom > 0;
}

/** Draws the figures that wait, one after the other. */
function drawWaiting() {
  const [next] = waiting ?? [];
  if (!next) {
    endWaiting();
    return;
  }
  const [id, [traces, shown]] = next;
  waiting.delete(id);
  plot(id, traces, shown);
  setTimeout(drawWaiting); // so that the reader is answered first
}

/** From now on figures are drawn at once. */
function endWaiting() {
  waiting = null;
  document.documentElement.dataset.complete = "yes";
}

/** Draws a figure, or says that it has nothing to show. */
function draw(id, traces, more) {
  const middle = { showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 };
  const nothing = { ...middle, text: "nothing to show", font: { color: style("--soft") } };
  const shown = traces.length ? more : { ...more, annotations: [nothing] };
  if (capturing) {
    if (capturing.id === id) capturing.figure = { traces, layout: layout(shown) };
    return;
  }
  waiting?.delete(id);
  if (waiting && !isInView(id)) waiting.set(id, [traces, shown]);
  else plot(id, traces, shown);
}

function plot(id, traces, shown) {
  const printed = document.documentElement.dataset.print;
  const size = printed ? { width: $(id).clientWidth, autosize: false } : { autosize: true };
  Plotly.react($(id), traces, { ...layout(shown), ...size }, { displayModeBar: false, responsive: true });
}

/** Writes a figure's caption; the style sheet numbers the figures that are shown. */
const caption = (id, text) => $(id).replaceChildren(text);

/** A horizontal line across a figure. */
function horizontal(y, color, dash) {
  return { type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color, width: 1, dash } };
}

/** A vertical line across a figure. */
function vertical(x, color) {
  return { type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color, width: 1 } };
}

/** Error bars of cells: a deviation over seeds, or, where there is none, the interval over test samples. */
function errorBars(cells) {
  const length = ([mean, deviation, , low, high], up) => {
    if (deviation !== null) return deviation;
    if (up) return high === null ? 0 : high - mean;
    return low === null ? 0 : mean - low;
  };
  const up = cells.map((cell) => length(cell, true));
  const down = cells.map((cell) => length(cell, false));
  return { type: "data", symmetric: false, array: up, arrayminus: down, thickness: 1, width: 0 };
}
