// Saving: every figure as SVG and PNG in the colours of paper, every table as CSV and LaTeX.

/** Pixels of a saved PNG for each of the figure's: 300 dots an inch where a figure has 100 pixels an inch. */
const PNG_SCALE = 3;
/** The chunk of a PNG file that says 300 dots an inch: 11811 a metre in both directions, with its checksum. */
const DOTS = [0, 0, 0, 9, 112, 72, 89, 115, 0, 0, 46, 35, 0, 0, 46, 35, 1, 120, 165, 63, 118];
/** Where that chunk stands: after the signature (8 bytes) and the header (25). */
const AFTER_HEADER = 33;
/** The width of a figure that is saved from a narrow window. */
const WIDTH_FROM_NARROW = 900;

/** Hands a file to the reader. */
function download(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A file's name: what it shows, and of which setting. */
function fileName(title, ending) {
  const words = `${title} ${setting().label}`;
  return `${words.toLowerCase().replace(/[^a-z0-9.=+]+/g, "-").replace(/^-|-$/g, "")}.${ending}`;
}

/** A figure as it would be drawn on paper: light and not narrow, with what the reader has hidden or filtered. */
function onPaper(id) {
  const before = theme();
  const sizes = [...document.querySelectorAll(".plot")].map((plot) => [plot, plot.style.cssText]);
  document.documentElement.dataset.theme = "light";
  if (narrow()) $(id).style.width = `${WIDTH_FROM_NARROW}px`;
  try {
    const { traces, layout: drawn } = withoutDrawing(drawAll, id);
    return { traces, layout: paperLayout(id, drawn) };
  } finally {
    document.documentElement.dataset.theme = before;
    for (const [plot, size] of sizes) plot.style.cssText = size;
  }
}

function paperLayout(id, drawn) {
  const size = { width: $(id).clientWidth, height: $(id).clientHeight };
  return { ...drawn, ...size, autosize: false, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff" };
}

/** What the reader has changed in a figure by hand: hidden lines, filtered axes. */
function keepHandMade(traces, shown) {
  if (!shown || shown.length !== traces.length) return traces;
  return traces.map((trace, i) => {
    const kept = { ...trace, visible: shown[i].visible ?? trace.visible };
    if (!trace.dimensions) return kept;
    const filter = (j) => ({ constraintrange: shown[i].dimensions[j]?.constraintrange });
    return { ...kept, dimensions: trace.dimensions.map((axis, j) => ({ ...axis, ...filter(j) })) };
  });
}

async function saveFigure(id, format) {
  const { traces, layout } = onPaper(id);
  const figure = { data: keepHandMade(traces, $(id).data), layout };
  const { width, height } = layout;
  const options = { format, width, height, scale: format === "png" ? PNG_SCALE : 1 };
  const url = await Plotly.toImage(figure, options);
  if (format === "svg") {
    const text = decodeURIComponent(url.slice(url.indexOf(",") + 1));
    download(fileName(id.replace("fig-", ""), "svg"), text, "image/svg+xml");
    return;
  }
  const bytes = bytesOf(url.slice(url.indexOf(",") + 1));
  const parts = [bytes.slice(0, AFTER_HEADER), Uint8Array.from(DOTS), bytes.slice(AFTER_HEADER)];
  download(fileName(id.replace("fig-", ""), "png"), new Blob(parts), "image/png");
}

/** Tables that are longer than what is shown of them, by id: the whole table. Any other is saved as it stands. */
const WHOLE_TABLES = {
  table: () => resultsTable(rows()),
  "runs-table": () => runsTable(runRows()),
  "sweep-table": () => wholeSweepTable(),
};

/** The table of all settings of the sweep that pass the filters. */
function wholeSweepTable() {
  const { settingsAll } = state;
  const fill = (all) => {
    state.settingsAll = all;
    fillSettings(sweepPoints(), sweptKeys());
  };
  fill(true);
  const whole = $("sweep-table").cloneNode(true);
  fill(settingsAll);
  return whole;
}

const rowsOf = (id) => [...(WHOLE_TABLES[id] ? WHOLE_TABLES[id]() : $(id)).querySelectorAll("tr")];

/** A table as CSV; a cell that knows more digits than it shows gives them. */
function asCsv(id) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const text = (cell) => cell.dataset.value ?? cell.textContent.trim().replace(/^–$/, "").replaceAll("−", "-");
  const lines = rowsOf(id).map((row) => [...row.cells].map((cell) => quote(text(cell))).join(","));
  return `${lines.join("\n")}\n`;
}

const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
const LATEX_SYMBOLS = {
  ...{ "±": "$\\pm$", "−": "$-$", "†": "$^\\dagger$", "–": "--", "·": "$\\cdot$" },
  ...{ "<": "$<$", ">": "$>$", "\u00a0": "~" },
};

/** A text in LaTeX, letter by letter. */
function latexText(text) {
  const letter = (one) => LATEX[one] ?? LATEX_SYMBOLS[one] ?? (/[&%$#_{}]/.test(one) ? `\\${one}` : one);
  return [...text.trim()].map(letter).join("");
}

function latexCell(cell) {
  const text = latexText(cell.textContent);
  return cell.querySelector(".best") || cell.classList.contains("best") ? `\\textbf{${text}}` : text;
}

/** What a table shows: the name of the region that it scrolls in, or the title of its section. */
function tableTitle(id) {
  const region = $(id).closest(".scroll");
  return region.getAttribute("aria-label") ?? $(region.getAttribute("aria-labelledby")).textContent;
}

/** A table in LaTeX with booktabs, which is scaled down where it is wider than the column that it stands in. */
function asLatex(id) {
  const [head, ...body] = rowsOf(id).map((row) => `${[...row.cells].map(latexCell).join(" & ")} \\\\`);
  const columns = rowsOf(id)[0].cells.length;
  return [
    "% \\usepackage{booktabs, graphicx}",
    "\\begin{table}",
    "\\centering",
    `\\caption{${latexText(`${tableTitle(id)}: ${setting().label}, ${metricTitle()}`)}.}`,
    `\\label{tab:${fileName(tableTitle(id), "").slice(0, -1)}}`,
    "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
    `\\begin{tabular}{l${"r".repeat(columns - 1)}}`,
    ...["\\toprule", head, "\\midrule", ...body, "\\bottomrule", "\\end{tabular}}", "\\end{table}", ""],
  ].join("\n");
}

/** The buttons below a figure or a table: [title, what it does] each. */
function saveButtons(what, ways) {
  const button = ([title, save]) =>
    element("button", { type: "button", "aria-label": `Save as ${title}: ${what}`, onclick: save }, title);
  return element("p", { class: "save" }, "Save as ", ...ways.map(button));
}

function fillSaveButtons() {
  for (const plot of document.querySelectorAll(".plot")) {
    const ways = ["svg", "png"].map((format) => [format.toUpperCase(), () => saveFigure(plot.id, format)]);
    plot.after(saveButtons(plot.getAttribute("aria-label"), ways));
  }
  for (const { id } of document.querySelectorAll("main table[id]")) {
    const ways = [
      ["CSV", () => download(fileName(tableTitle(id), "csv"), asCsv(id), "text/csv")],
      ["LaTeX", () => download(fileName(tableTitle(id), "tex"), asLatex(id), "application/x-tex")],
    ];
    $(id).closest(".scroll").after(saveButtons(tableTitle(id), ways));
  }
}
