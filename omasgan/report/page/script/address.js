// What the reader has chosen, in the page's address, so that a link shows what its sender saw.
//
// The address ends in "#section?choice=value&...". It holds only what differs from a newly opened page, by name rather
// than by place, so that a link outlives a report that is written again with more runs.

/** All choices: the page's selects and inputs, by document order, in which one may depend on those before it. */
const choices = () => [...document.querySelectorAll("main select[id], main input[id], .bar select[id]")];

/** The choices one after another; what is chosen may make new ones, such as the filters of a sweep's settings. */
function* eachChoice() {
  const seen = new Set();
  const next = () => choices().find(({ id }) => !seen.has(id));
  for (let choice = next(); choice; choice = next()) {
    seen.add(choice.id);
    yield choice;
  }
}

/** The name of an option: its value, or its text where the value is only a place in the data. */
const optionName = (option) => option.dataset.name ?? (/^\d+$/.test(option.value) ? option.text : option.value);

/** What is chosen, as a text. */
function chosenText(choice) {
  if (choice.type === "checkbox") return choice.checked ? "yes" : "no";
  if (choice.tagName !== "SELECT") return choice.value;
  return choice.selectedOptions.length ? optionName(choice.selectedOptions[0]) : "";
}

/** What is chosen in a newly opened page, as a text. */
function defaultText(choice) {
  if (choice.type === "checkbox") return choice.defaultChecked ? "yes" : "no";
  if (choice.tagName !== "SELECT") return choice.defaultValue;
  const option = [...choice.options].find((one) => one.defaultSelected) ?? choice.options[0];
  return option ? optionName(option) : "";
}

/** Chooses by a text, as the reader would by hand; false where there is no such option. */
function choose(choice, text) {
  if (chosenText(choice) === text) return true;
  if (choice.type === "checkbox") choice.checked = text === "yes";
  else if (choice.tagName !== "SELECT") choice.value = text;
  else {
    const option = [...choice.options].find((one) => optionName(one) === text);
    if (!option) return false;
    choice.value = option.value;
  }
  for (const event of ["input", "change"]) choice.dispatchEvent(new Event(event, { bubbles: true }));
  return true;
}

/** The order of a table: the title of the column that it is sorted by, with a minus where the highest comes first. */
const sortText = (title, { down }) => `${down ? "-" : ""}${title}`;
const sortedBy = (text) => ({ title: text.replace(/^-/, ""), down: text.startsWith("-") });

/** The titles of the table's columns, by the column's number. */
function columnTitles() {
  const classes = setting().classes.map((name, column) => [column, name]);
  return new Map([...classes, [MEAN_COLUMN, MEAN], [NAME_COLUMN, "method"]]);
}

const sameSort = (a, b) => a.column === b.column && a.down === b.down;
const defaultSort = () => ({ column: MEAN_COLUMN, down: state.metric !== "fpr95" });
const DEFAULT_RUNS_SORT = { column: "state", down: false };

/** The part of the address after the question mark. */
function addressText() {
  const told = new URLSearchParams();
  for (const choice of choices()) {
    if (chosenText(choice) !== defaultText(choice)) told.set(choice.id, chosenText(choice));
  }
  if (!data.settings.length) return told.toString();
  const first = new Set(headline());
  const { chosen: ticked, sort, runsSort } = state;
  if (first.size !== ticked.size || [...ticked].some((id) => !first.has(id))) {
    const labels = [...ticked].map((id) => data.methods[id].label);
    for (const label of labels.length ? labels : [""]) told.append("show", label);
  }
  if (!sameSort(sort, defaultSort())) told.set("sort", sortText(columnTitles().get(sort.column), sort));
  if (!sameSort(runsSort, DEFAULT_RUNS_SORT)) told.set("runs-sort", sortText(runsSort.column, runsSort));
  return told.toString();
}

/** The address that was last read or written. */
let knownAddress = "";

/** Writes the reader's choices into the address, unless another address waits to be read. */
function writeAddress() {
  if (window.location.hash !== knownAddress) return;
  const text = addressText();
  const address = `#${state.section}${text ? `?${text}` : ""}`;
  if (address !== (knownAddress || "#")) window.history.replaceState(null, "", address);
  knownAddress = window.location.hash;
}

/**
 * Shows what the address says; a choice that it does not name is that of a newly opened page. Nothing is drawn where
 * nothing changes, unless the page is new.
 */
function readAddress(isNew = false) {
  const before = addressText();
  knownAddress = window.location.hash;
  const [section, text] = knownAddress.replace(/^#/, "").split(/\?(.*)/);
  const told = new URLSearchParams(text ?? "");
  const lost = [];
  withoutDrawing(() => {
    for (const choice of eachChoice()) {
      const wanted = told.get(choice.id);
      if (!choose(choice, wanted ?? defaultText(choice)) && wanted !== null) lost.push(wanted);
    }
    if (data.settings.length) lost.push(...readTicks(told.getAll("show")), ...readSorts(told));
  });
  if (isNew || addressText() !== before) redraw();
  $("lost").hidden = lost.length === 0;
  $("lost").textContent = `The link also names what this page does not have: ${lost.join("; ")}.`;
  if (section) goTo(section);
}

/** Ticks the methods that the address names; returns the names that no method has. */
function readTicks(labels) {
  const byLabel = new Map(members().map((method) => [method.label, method.id]));
  const named = labels.filter(Boolean);
  const found = named.filter((label) => byLabel.has(label)).map((label) => byLabel.get(label));
  state.chosen = new Set(labels.length ? found : headline());
  giveColours();
  return named.filter((label) => !byLabel.has(label));
}

/** Sorts both tables as the address says; returns the columns that there are not. */
function readSorts(told) {
  const [table, runs] = [told.get("sort"), told.get("runs-sort")].map((text) => text && sortedBy(text));
  const column = table && [...columnTitles()].find(([, title]) => title === table.title)?.[0];
  const isColumn = column !== undefined && column !== null;
  state.sort = isColumn ? { column, down: table.down } : defaultSort();
  state.runsSort = runs && runs.title in RUN_COLUMNS ? { column: runs.title, down: runs.down } : DEFAULT_RUNS_SORT;
  return [table && !isColumn && table.title, runs && !(runs.title in RUN_COLUMNS) && runs.title].filter(Boolean);
}

/** Scrolls to a section, and moves the keyboard's focus there. */
function goTo(id) {
  const target = $(id);
  if (!target) return;
  state.section = id;
  target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
  target.scrollIntoView();
}

function listenToAddress() {
  const write = later(writeAddress);
  for (const event of ["change", "input", "click"]) document.addEventListener(event, write);
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    link.addEventListener("click", (event) => {
      event.preventDefault(); // the browser would drop the choices from the address
      goTo(link.getAttribute("href").slice(1));
    });
  }
  window.addEventListener("hashchange", () => readAddress());
}
