// Parallel coordinates: a line for every setting of a sweep. Each axis filters, by its choices or by dragging along it.

/** Values of an axis that are offered one by one; of more, the reader gives numbers. */
const MOST_OFFERED = 12;
/** Shades of the lines, from the worst to the best mean. */
const SHADES = 8;
const MEAN_AXIS = "mean";

/** The axes: where a point crosses each, from 0 to 1, its marks, and the numbers or words that it filters by. */
function parallelAxes(points, keys) {
  const methods = points.map(({ method }) => method);
  const scaled = (low, high, at) => (value) => (high > low ? (at(value) - low) / (high - low) : 0.5);
  const axes = keys.map((key) => {
    const axis = axisOf(key, methods);
    const valueOf = ({ method }) => method.varied[key];
    return {
      key,
      name: shortKey(key),
      axis,
      valueOf,
      at: scaled(axis.low, axis.high, axis.at),
      ticks: ticksOf(axis, 0.06),
    };
  });
  const means = points.map((point) => point.mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const at = scaled(low, high, (value) => value);
  const ticks = colourTicks({ low, high: high > low ? high : low + 1e-3 }).tickvals;
  const last = { key: MEAN_AXIS, name: metricTitle(), valueOf: (point) => point.mean, at, ticks, low, high };
  return [...axes, last];
}

const offered = ({ axis }) => axis && axis.values.length <= MOST_OFFERED;

/** Fills the choices of the axes, which are the filter: from and to. */
function fillAxisFilters(points, keys) {
  const shown = parallelAxes(points, keys).map((one) => {
    const ends = ["min", "max"].map((end) => axisChoice(one, end));
    return element("label", {}, `${one.name} `, ends[0], " to ", ends[1]);
  });
  const clear = element("button", { type: "button", id: "axes-clear", onclick: clearAxes }, "Show all");
  $("axis-filters").replaceChildren(...shown, clear);
}

/** One end of the filter of an axis. */
function axisChoice(one, end) {
  const id = `${end}-${one.key}`;
  const label = `${one.name}, ${end === "min" ? "from" : "to"}`;
  if (!offered(one)) {
    const step = one.key === MEAN_AXIS ? "0.001" : "any";
    return element("input", { id, type: "number", step, "aria-label": label, placeholder: end, size: 6 });
  }
  const values = one.axis.values.map((value, i) => [String(i), tidy(value)]);
  const chosenPlace = end === "min" ? 0 : values.length - 1;
  const options = values.map(([value, text], i) =>
    element("option", { value, selected: i === chosenPlace, "data-name": text }, text),
  );
  return element("select", { id, "aria-label": label }, ...options);
}

/** The part of an axis that passes the filter, [low, high] from 0 to 1; null where all of it does. */
function passing(one) {
  const [low, high] = ["min", "max"].map((end) => $(`${end}-${one.key}`)?.value ?? "");
  if (!offered(one)) {
    if (low === "" && high === "") return null;
    const places = [low, high].map((text, i) => (text === "" ? i : one.at(Number(text))));
    return [places[0] - 1e-9, places[1] + 1e-9];
  }
  if (Number(low) === 0 && Number(high) === one.axis.values.length - 1) return null;
  return [low, high].map((place, i) => one.at(one.axis.values[Number(place)]) + (i ? 1e-9 : -1e-9));
}

/** The points that pass the filters of all axes. */
function passingPoints(points, keys) {
  const axes = parallelAxes(points, keys);
  const ranges = axes.map(passing);
  const inside = (place, range) => !range || (place >= range[0] && place <= range[1]);
  return points.filter((point) => axes.every((one, i) => inside(one.at(one.valueOf(point)), ranges[i])));
}

function clearAxes() {
  for (const choice of $("axis-filters").querySelectorAll("select, input")) {
    const options = [...(choice.options ?? [])];
    choice.value = options.length ? options.find((option) => option.defaultSelected).value : "";
  }
  drawFiltered();
}

function drawParallel(points, keys) {
  const axes = parallelAxes(points, keys);
  const kept = new Set(passingPoints(points, keys));
  const faded = points.filter((point) => !kept.has(point));
  const sign = state.metric === "fpr95" ? -1 : 1;
  const shades = Array.from({ length: SHADES }, () => []);
  for (const point of points) {
    const share = axes.at(-1).at(point.mean);
    if (kept.has(point)) shades[Math.min(Math.floor((sign > 0 ? share : 1 - share) * SHADES), SHADES - 1)].push(point);
  }
  const colour = (i) => mixed(LINES[theme()], 0.25 + (0.75 * i) / (SHADES - 1));
  const traces = [
    linesTrace(faded, axes, style("--grid"), 0.8),
    ...shades.map((of, i) => linesTrace(of, axes, colour(i), kept.size > 80 ? 1 : 1.6)),
  ].filter(({ x }) => x.length);
  draw("fig-parallel", traces, {
    xaxis: {
      tickvals: axes.map((_, i) => i),
      ticktext: axes.map(({ name }) => name),
      range: [-0.4, axes.length - 0.55],
      gridcolor: style("--soft"),
      side: "top",
      ticks: "",
      showline: false,
    },
    yaxis: { visible: false, range: [-0.06, 1.06] },
    shapes: axes.flatMap(filterShape),
    annotations: axes.flatMap((one, i) => axisMarks(one, i, i === axes.length - 1)),
    margin: { l: 14, r: 14, t: 40, b: 10 },
    hovermode: "closest",
    dragmode: false,
    showlegend: false,
  });
  const count = `${plural(kept.size, "setting")} of ${points.length}`;
  const how =
    "Drag along an axis, or choose its values above, to show a part; a click on the axis shows all of it again.";
  caption(
    "cap-parallel",
    `A line is one combination of settings, from the worst (pale) to the best (strong). ${count}. ${how}`,
  );
}

/** Some points as one trace, with a gap after each line. */
function linesTrace(points, axes, color, width) {
  const text = (point) => `<b>${point.text}</b> ${valuesText(point.method)}`;
  return {
    type: "scatter",
    mode: "lines+markers",
    x: points.flatMap(() => [...axes.keys(), null]),
    y: points.flatMap((point) => [...axes.map((one) => one.at(one.valueOf(point))), null]),
    text: points.flatMap((point) => [...axes.map(() => text(point)), ""]),
    line: { color, width },
    marker: { size: 4, color },
    hovertemplate: "%{text}<extra></extra>",
  };
}

/** The part of an axis that passes its filter, as a bar on the axis. */
function filterShape(one, x) {
  const range = passing(one);
  if (!range) return [];
  const [y0, y1] = [Math.max(range[0], 0) - 0.015, Math.min(range[1], 1) + 0.015];
  return [
    {
      type: "rect",
      x0: x - 0.025,
      x1: x + 0.025,
      y0,
      y1,
      fillcolor: style("--focus"),
      opacity: 0.55,
      line: { width: 0 },
    },
  ];
}

/** The values beside an axis: on its left, or on the right for the last axis. */
function axisMarks(one, x, last) {
  const side = last ? { xanchor: "left", xshift: 7 } : { xanchor: "right", xshift: -7 };
  const same = { ...side, showarrow: false, font: { size: 10, color: style("--soft") }, bgcolor: style("--paper") };
  const isDefault = (value) => one.axis && defaultOf(one.axis).tried && defaultOf(one.axis).value === value;
  const text = (value) => (last ? figures(value) : `${tidy(value)}${isDefault(value) ? " (default)" : ""}`);
  return one.ticks.map((value) => ({ x, y: one.at(value), text: text(value), ...same }));
}

/** Filters by dragging: from where the pointer goes down on an axis to where it goes up. */
function listenToAxes() {
  let start = null;
  const placeOf = (event) => {
    const plot = $("fig-parallel")._fullLayout?.xaxis;
    if (!plot) return null;
    const box = $("fig-parallel").getBoundingClientRect();
    const { xaxis, yaxis } = $("fig-parallel")._fullLayout;
    const x = xaxis.p2d(event.clientX - box.left - xaxis._offset);
    return {
      axis: Math.round(x),
      near: Math.abs(x - Math.round(x)) < 0.2,
      y: yaxis.p2d(event.clientY - box.top - yaxis._offset),
    };
  };
  $("fig-parallel").addEventListener("pointerdown", (event) => {
    const place = placeOf(event);
    start = place?.near ? place : null;
  });
  window.addEventListener("pointerup", (event) => {
    if (!start) return;
    const end = placeOf(event);
    filterAxis(start.axis, Math.min(start.y, end.y), Math.max(start.y, end.y));
    start = null;
  });
}

/** Sets the filter of an axis to a part of it; a click, which is no part, shows all of it. */
function filterAxis(number, low, high) {
  const { points } = sweepPoints();
  const one = parallelAxes(points, sweptKeys())[number];
  if (!one) return;
  const ends = ["min", "max"].map((end) => $(`${end}-${one.key}`));
  if (offered(one)) {
    const places = one.axis.values.map((value, i) => [i, one.at(value)]);
    const inside = places.filter(([, place]) => place >= low && place <= high);
    const none = high - low < 0.02 || !inside.length;
    [ends[0].value, ends[1].value] = none ? [0, places.length - 1] : [inside[0][0], inside.at(-1)[0]];
  } else {
    const values = points.map((point) => one.valueOf(point)).filter((value) => between({ low, high }, one.at(value)));
    const none = high - low < 0.02 || !values.length;
    const round = (value, up) => (one.key === MEAN_AXIS ? (up ? Math.ceil : Math.floor)(value * 1000) / 1000 : value);
    ends[0].value = none ? "" : round(Math.min(...values), false);
    ends[1].value = none ? "" : round(Math.max(...values), true);
  }
  ends[1].dispatchEvent(new Event("change", { bubbles: true }));
}
