// Colours: the light and the dark theme, and the colour and symbol of each method.

// Paul Tol's colours, without the two that stand for normal and abnormal; the dark theme has lighter variants.
const PALETTE = {
  light: [
    ...["#332288", "#DDAA33", "#882255", "#117733", "#44AADD", "#999933"],
    ...["#CC6677", "#44AA99", "#AA4499", "#555555", "#B8860B", "#6699CC"],
  ],
  dark: [
    ...["#9C90F0", "#E8C25A", "#E07FB0", "#58C07A", "#88CCEE", "#C6C65A"],
    ...["#F0909F", "#5FD0BC", "#DD88D5", "#BBBBBB", "#E0B040", "#A9CBF2"],
  ],
};
const KINDS = { light: { normal: "#0072B2", abnormal: "#D55E00" }, dark: { normal: "#56B4E9", abnormal: "#F0803C" } };
const SYMBOLS = [
  ...["circle", "square", "diamond", "triangle-up", "cross", "star"],
  ...["x", "triangle-down", "pentagon", "hexagon", "hourglass", "bowtie"],
];
// Cividis: its lightness rises evenly, and readers with a colour vision deficiency see the same order.
const SCALE = [
  ...[
    [0, "#00224e"],
    [0.2, "#35456c"],
    [0.4, "#666970"],
  ],
  ...[
    [0.6, "#948e77"],
    [0.8, "#c8b866"],
    [1, "#fee838"],
  ],
];
// The lines of the parallel coordinates, from the worst to the best.
const LINES = { light: ["#d9dee3", "#0e4a78"], dark: ["#2c343c", "#a8d8ff"] };

const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
const palette = () => PALETTE[theme()];

/** The value of a CSS variable. */
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
  $("theme").setAttribute("aria-pressed", String(name === "dark"));
}

// A method's place in the palette: its order among the methods that are ticked at first, else the first free place.
const places = new Map();

/** Gives the ticked methods the first places of the palette. */
function giveColours() {
  places.clear();
  [...state.chosen].forEach((id, place) => places.set(id, place));
}

/** A method's colour and symbol, the same in all figures. */
function appearance(method) {
  if (!places.has(method.id)) {
    const taken = new Set([...state.chosen].filter((id) => places.has(id)).map((id) => places.get(id)));
    let free = 0;
    while (taken.has(free) && free < PALETTE.light.length - 1) free += 1;
    places.set(method.id, free);
  }
  const place = places.get(method.id);
  return { color: palette()[place % palette().length], symbol: SYMBOLS[place % SYMBOLS.length] };
}

/** A colour between two others, given as "#rrggbb". */
function mixed([from, to], share) {
  const channel = (colour, at) => parseInt(colour.slice(at, at + 2), 16);
  const channels = [1, 3, 5].map((at) => Math.round(channel(from, at) * (1 - share) + channel(to, at) * share));
  return `rgb(${channels.join(",")})`;
}
