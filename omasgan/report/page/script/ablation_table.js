// The ablation as a table: the terms of the score and the options of `ablation`, each against the whole detector.

/** The ablations of the setting that is shown; the first is that with most rows that were run. */
const ablationsHere = () => data.ablations.filter((one) => data.methods[one.full].setting === state.setting);

function fillAblation() {
  const found = ablationsHere();
  const options = found.map((one, i) => [i, data.methods[one.full].name]);
  fillSelect("ablation-of", options, 0);
  $("ablation-of").closest(".tools").hidden = found.length < 2;
  $("ablation-body").hidden = found.length === 0;
}

function drawAblationTable() {
  const found = ablationsHere()[Number($("ablation-of").value)];
  if (!found) return;
  const full = data.methods[found.full];
  const titles = ["", "mean", "difference", "95 % interval", "p", ...setting().classes];
  const head = titles.map((text) => element("th", { scope: "col" }, element("span", {}, text)));
  const options = found.rows.filter((row) => row.meaning);
  const body = [wholeRow(full), ...found.rows.map((row) => ablationRow(row, row === options[0]))];
  $("ablation-table").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  $("ablation-note").textContent = ablationNote(full, options);
}

/** The row of the whole detector, with which the others are compared. */
function wholeRow(full) {
  const cells = full.cells.auroc;
  const value = ([mean], i) =>
    mean === null ? element("td", {}, missing(full.states[i])) : element("td", { "data-value": mean }, figures(mean));
  const classes = cells.slice(0, -1).map(value);
  const blank = [element("td", {}, "–"), element("td", {}, "–"), element("td", {}, "–")];
  const name = element("th", { scope: "row" }, element("b", {}, full.heading));
  return element("tr", {}, name, value(cells.at(-1), cells.length - 1), ...blank, ...classes);
}

const missing = (reason) => element("span", { class: "state missing" }, reason === "missing" ? "not run" : reason);

function ablationRow(row, first) {
  const total = row.cells.at(-1);
  const meaning = row.meaning ? element("span", { class: "meaning" }, ` ${row.meaning}`) : null;
  const name = element("th", { scope: "row", title: row.meaning || null }, row.title, meaning);
  const classes = row.cells.slice(0, -1).map(classCell);
  return element("tr", { class: first ? "rule" : null }, name, ...meanCells(total), ...classes);
}

/** The cells of the mean: value, difference, interval and p; or why there are none. */
function meanCells(cell) {
  if (cell.value === null)
    return [cell.reason, ...Array(3).fill(cell.reason)].map((text) => element("td", {}, missing(text)));
  const value = element("td", { "data-value": cell.value }, figures(cell.value));
  if (cell.difference === null)
    return [
      value,
      ...Array(3)
        .fill(0)
        .map(() => element("td", {}, missing(cell.reason))),
    ];
  const spread = element("span", { class: "pm" }, plusMinus(cell.deviation));
  const difference = element("td", { "data-value": cell.difference }, signed(cell.difference), spread);
  if (cell.p === null) return [value, difference, ...[0, 1].map(() => element("td", {}, missing(cell.reason)))];
  const p = element("td", { class: cell.p_holm < LEVEL ? "best" : null }, probability(cell.p_holm));
  return [value, difference, element("td", {}, intervalOf(cell)), p];
}

/** A class: the value, the difference and its corrected p, one below the other. */
function classCell(cell) {
  if (cell.value === null) return element("td", {}, missing(cell.reason));
  const lines = [figures(cell.value)];
  if (cell.difference !== null) lines.push(signed(cell.difference));
  lines.push(cell.p_holm === null ? cell.reason : `p ${probability(cell.p_holm)}`);
  const clear = cell.p_holm !== null && cell.p_holm < LEVEL;
  const parts = lines.flatMap((text, i) => [
    element("span", { class: i === 0 ? "line" : clear ? "line pm clear" : "line pm" }, text),
    " ",
  ]);
  const bounds = cell.low === null ? null : `95 % interval ${intervalOf(cell)}`;
  return element("td", { title: bounds, "data-value": cell.value }, ...parts);
}

function ablationNote(full, options) {
  const sentences = [
    `AUROC ${setting().on}, and its difference to ${full.label} on the same test samples (DeLong's test), ± the deviation`,
    "of the difference over seeds. Intervals are over test samples. The p-values of the classes of a row are corrected by",
    "Holm for all classes, those of the means for all rows; differences with a p below .05 are bold.",
  ];
  const absent = options.filter((row) => row.method === null).map((row) => row.title);
  if (absent.length) sentences.push(`Not run: add ablation=${absent.join(",")} to the command of the runs (with -m).`);
  return sentences.join(" ");
}
