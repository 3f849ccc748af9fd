// Small helpers: elements of the document, numbers as text, words of a filter.

const $ = (id) => document.getElementById(id);

/** Makes an element. An attribute whose name starts with "on" is a listener; one that is false or null is left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Fills a choice with [value, text] pairs; a third is the option's name in the address, where the text is no name. */
function fillSelect(id, options, selected) {
  const made = options.map(([value, text, name]) =>
    element("option", { value, selected: value === selected, "data-name": name }, text),
  );
  $(id).replaceChildren(...made);
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < bytes.length; place += 1) bytes[place] = text.charCodeAt(place); // Uint8Array.from is slow
  return bytes;
}

/** The text of an element that holds base64 of gzip. */
async function inflate(id) {
  const bytes = bytesOf($(id).textContent.trim());
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/** A number as the tables print it: .934, or a dash for none. */
function figures(value, digits = 3) {
  return value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^(-?)0\./, "$1.");
}
const signed = (value) => (value < 0 ? "−" : "+") + figures(Math.abs(value));
const probability = (p) => (p < 0.001 ? "< .001" : figures(p));
const plusMinus = (deviation) => (deviation === null ? "" : ` ± ${figures(deviation)}`);
const plural = (n, word, several = `${word}s`) => `${n.toLocaleString("en")} ${n === 1 ? word : several}`;
const plain = (value) => (value === null ? "none" : String(value));

/** A text, cut where it is too long for a figure. */
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Orders texts by the alphabet, and the numbers in them by their size. */
const byText = new Intl.Collator("en", { numeric: true }).compare;

/** Whether a text has every word of a filter, in any order. */
function fits(text, filter) {
  const low = text.toLowerCase();
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => low.includes(word));
}

/** The folders of the first runs, and how many more runs there are. */
function foldersOf(runs, most, separator) {
  const more = runs.length > most ? `${separator}and ${runs.length - most} more` : "";
  const names = runs.slice(0, most).map((run) => data.runs[run].folder);
  return names.join(separator) + more;
}

/** The value of `aria-sort` for a column. */
function sortedAs(column, sort) {
  if (sort.column !== column) return "none";
  return sort.down ? "descending" : "ascending";
}

/** Says below a table how many rows there are, with a button that shows all where some are left out. */
function fillMore(id, count, found, shown, showAll) {
  const rest = found > shown;
  const button = rest ? element("button", { type: "button", onclick: showAll }, `Show all ${found}`) : "";
  $(id).replaceChildren(`${count}${rest ? `, the first ${shown} shown. ` : "."}`, button);
}
