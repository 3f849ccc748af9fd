// The start of the page, what each choice redraws, and printing.

/** Draws everything that depends on the setting, and resets its choices. */
function drawSetting() {
  const where = setting();
  state.all = false;
  state.sort = defaultSort();
  state.chosen = new Set(headline());
  giveColours();
  const rest = "Ticked methods are drawn below; click a cell to see the runs behind it.";
  $("results-caption").textContent = `${where.label}. ${where.note} ${rest}`;
  $("warning").hidden = !where.warning;
  $("warning").textContent = `The best setting of this sweep is ${where.warning}.`;
  fillAblation();
  fillPairs();
  fillSweeps();
  fillLearning();
  fillSide();
  redraw();
}

function drawFigures() {
  drawClasses();
  drawDetectors();
  drawAblation();
  drawLearning();
  drawAblationTable();
  drawRanks();
}

function redraw() {
  drawTable();
  drawAll();
  drawRuns();
}

/** Draws all figures; the tables, which only the theme and the width would change, stay. */
function drawAll() {
  drawFigures();
  drawPairs();
  drawSweeps();
  drawSide();
}

/** A listener that waits for a pause, so that fast typing draws once. */
function later(work) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, 120);
  };
}

const listenTo = (id, event, work) => $(id).addEventListener(event, work);

function listen() {
  listenTo("theme", "click", () => {
    setTheme(theme() === "dark" ? "light" : "dark");
    redraw();
  });
  listenTo("setting", "change", (event) => {
    state.setting = Number(event.target.value);
    drawSetting();
  });
  listenTo("metric", "change", (event) => {
    state.metric = event.target.value;
    state.sort = defaultSort();
    drawTable();
    drawFigures();
    drawSweeps();
    fillBothScores();
  });
  listenToTable();
  for (const id of ["first", "second"]) {
    listenTo(id, "change", (event) => {
      state[id] = Number(event.target.value);
      drawPairs();
    });
  }
  listenTo("ablation-of", "change", drawAblationTable);
  listenTo("cost", "change", drawDetectors);
  listenTo("rank-test", "change", drawRanks);
  listenToSweeps();
  for (const [id, side] of [
    ["run-a", "runA"],
    ["run-b", "runB"],
  ]) {
    listenTo(id, "change", (event) => {
      state[side] = Number(event.target.value);
      fillSideTerms();
      drawSide();
    });
  }
  for (const id of ["curve", "curve-class", "each-run"]) listenTo(id, "change", drawLearning);
  const drawAllCurves = () => {
    drawLearning();
    drawCurves();
  };
  listenTo("curve-x", "change", drawAllCurves);
  listenTo("smoothing", "input", later(drawAllCurves));
  for (const id of ["side-term", "side-curve", "roc-x"]) listenTo(id, "change", drawSide);
  listenTo("runs-filter", "input", later(drawRuns));
  listenToAddress();
  listenToWindow();
}

function listenToTable() {
  listenTo("filter", "input", later(drawTable));
  listenTo("only", "change", drawTable);
  listenTo("none", "click", () => {
    state.chosen.clear();
    drawTable();
    drawFigures();
  });
  listenTo("table", "change", (event) => {
    const id = Number(event.target.dataset.method);
    if (event.target.checked) state.chosen.add(id);
    else {
      state.chosen.delete(id);
      places.delete(id);
    }
    drawTable();
    drawFigures();
    const box = $("table").querySelector(`input[data-method="${id}"]`);
    if (box) box.focus();
  });
  listenTo("close", "click", closeDetails);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeDetails();
  });
}

function listenToWindow() {
  let was = narrow();
  const resized = () => {
    if (was === narrow()) return;
    was = !was;
    redraw();
  };
  window.addEventListener("resize", resized); // at once: Plotly, which waits, then fits figures of the right layout
  let before = null;
  window.addEventListener("beforeprint", () => {
    // Figures get the width and the colours of the paper.
    endWaiting();
    before = document.documentElement.dataset.theme;
    document.documentElement.dataset.print = "yes";
    setTheme("light");
    redraw();
  });
  window.addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    setTheme(before);
    redraw();
  });
}

function fillTop() {
  $("subtitle").textContent = `${plural(data.runs.length, "run")}: ${counts()}. Written ${data.created}.`;
  $("runs-caption").textContent =
    `All runs that were read: ${counts()}. The brackets after an AUROC are its bootstrap interval.`;
  if (data.problems.length) {
    const list = element("ul", {}, ...data.problems.map((line) => element("li", {}, line)));
    $("problems").append(element("div", { class: "notice" }, element("b", {}, "Problems"), list));
  }
  fillSelect(
    "setting",
    data.settings.map((where, id) => [id, where.label]),
    state.setting,
  );
  fillSelect("metric", Object.entries(data.metrics), state.metric);
}

/** Inflates the data and the plotting library from the document itself; nothing is fetched. */
async function start() {
  setTheme(window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  data = JSON.parse(await inflate("data"));
  const library = element("script");
  library.textContent = await inflate("plotly");
  document.head.append(library);
  for (const id of ["plotly", "data"]) $(id).remove();
  data.methods.forEach((method, id) => {
    method.id = id;
  });
  fillTop();
  listen();
  if (data.settings.length) {
    withoutDrawing(drawSetting);
    fillSaveButtons();
    readAddress(true);
  } else drawRuns();
  document.documentElement.dataset.ready = "yes";
  drawWaiting();
}

start();
