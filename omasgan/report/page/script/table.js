// The table of results: a row a method, a column a class; it sorts, filters, and chooses what figure 1 draws.

/** With more classes than this, a deviation stands below its mean where the window is not wide. */
const MANY_CLASSES = 7;

/** The columns of the mean, which is the last cell of a row, and of the name; a class's column is its place. */
const MEAN_COLUMN = -1;
const NAME_COLUMN = -2;

/** The methods that pass the filter, sorted; those without a value come last in either direction. */
function rows() {
  const shown = members().filter((method) => !$("only").checked || method.main);
  const found = shown.filter((method) => fits(method.label, $("filter").value));
  const { column, down } = state.sort;
  const sign = down ? -1 : 1;
  if (column === NAME_COLUMN) return found.sort((a, b) => sign * byText(a.label, b.label));
  const value = (method) => cellsOf(method).at(column)[0];
  const missing = (method) => value(method) === null;
  return found.sort((a, b) => missing(a) - missing(b) || sign * (value(a) - value(b)) || a.id - b.id);
}

function header(text, column, classes = "") {
  const sort = () => {
    const { column: now, down } = state.sort;
    state.sort = { column, down: now === column ? !down : column !== NAME_COLUMN };
    drawTable();
    $("table").querySelector(`button[data-column="${column}"]`).focus();
  };
  const button = element("button", { type: "button", "data-column": column, onclick: sort }, text);
  return element("th", { scope: "col", "aria-sort": sortedAs(column, state.sort), class: classes }, button);
}

function tableHead() {
  const { classes } = setting();
  const plainHeader = element("th", { scope: "col" }, element("span", {}, "n"));
  const columns = [
    header("Method", NAME_COLUMN),
    ...classes.map((name, column) => header(name, column)),
    plainHeader,
    header(MEAN, MEAN_COLUMN, "mean"), // the last, so that it can stay in view at the right
  ];
  return element("thead", {}, element("tr", {}, ...columns));
}

/** The best value of every column. */
function bestValues() {
  const best = state.metric === "fpr95" ? Math.min : Math.max;
  return setting().columns.map((_, column) => {
    const values = members()
      .map((method) => cellsOf(method)[column][0])
      .filter((value) => value !== null);
    return values.length ? best(...values) : null;
  });
}

/** The table of some methods, as a table that is not in the page. */
function resultsTable(shown) {
  const best = bestValues();
  const body = shown.map((method) => rowOf(method, best));
  if (publishedMean()) body.push(publishedRow());
  return element("table", {}, tableHead(), element("tbody", {}, ...body));
}

function drawTable() {
  const found = rows();
  const shown = state.all ? found : found.slice(0, ROWS_AT_FIRST);
  $("table").replaceChildren(...resultsTable(shown).children);
  $("table").classList.toggle("many", setting().classes.length > MANY_CLASSES);
  const count = `${plural(found.length, "method")} of ${members().length}`;
  fillMore("more", count, found.length, shown.length, () => {
    state.all = true;
    drawTable();
  });
}

function rowOf(method, best) {
  const on = state.chosen.has(method.id);
  const { color } = on ? appearance(method) : {};
  const swatch = element("span", { class: "swatch", style: on ? `background:${color};border-color:${color}` : null });
  const name = `Show ${method.label} in the figures`;
  const box = element("input", { type: "checkbox", "data-method": method.id, checked: on, "aria-label": name });
  const label = element("label", {}, box, swatch, element("span", {}, method.label));
  const cells = cellsOf(method).map((_, column) => cellOf(method, column, best[column]));
  const seeds = cellsOf(method).at(-1)[2];
  cells.splice(-1, 0, element("td", {}, seeds ? String(seeds) : "–"));
  return element(
    "tr",
    { class: on ? "on" : null },
    element("th", { scope: "row", title: method.label }, label),
    ...cells,
  );
}

/** The row of the paper's own mean, which stays below all methods in any order. */
function publishedRow() {
  return element(
    "tr",
    { class: "published" },
    element("th", { scope: "row" }, "OMASGAN, published"),
    ...setting().classes.map(() => element("td")),
    element("td", {}, "–"),
    element("td", { class: "mean" }, figures(publishedMean(), 2)),
  );
}

const isMeanColumn = (column) => column === setting().columns.length - 1;

/** The runs behind a cell; for the cell of the mean, those of all classes. */
const runsOf = (method, column) => (isMeanColumn(column) ? method.runs.flat() : method.runs[column]);

/** A cell: a button that opens the runs behind it, with the value or with why there is none. */
function cellOf(method, column, best) {
  const [mean, deviation] = cellsOf(method)[column];
  const status = method.states[column];
  const runs = runsOf(method, column);
  const title = foldersOf(runs, 6, "\n");
  const classes = isMeanColumn(column) ? "mean" : null;
  const name = `${method.label}, ${setting().columns[column]}`;
  const open = () => openDetails(method, column);
  if (status !== "done") {
    const text = element("span", { class: `state ${status}` }, status);
    const button = { type: "button", "aria-label": `${name}: ${status}`, onclick: open };
    return element(
      "td",
      { class: classes, title: title || null },
      runs.length ? element("button", button, text) : text,
    );
  }
  const button = element(
    "button",
    { type: "button", class: mean === best ? "best" : null, "aria-label": `${name}: ${figures(mean)}`, onclick: open },
    figures(mean),
    method.complete[column] ? null : "†",
    deviation === null ? null : element("span", { class: "pm" }, plusMinus(deviation)),
  );
  return element("td", { class: classes, title, "data-value": mean }, button);
}
