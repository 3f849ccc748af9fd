// Statistics that follow what the reader ticks; omasgan/report/ranking.py computes the same for the files beside the page.

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

/** The standard deviation (ddof 1); null for fewer than two values. */
function standardDeviation(values) {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1));
}

/** The 97.5 % quantile of Student's t distribution. */
const studentT = (degrees) => data.quantiles.t[Math.min(degrees, data.quantiles.t.length) - 1];

/** Half the width of the 95 % interval of a mean of n values by Student's t distribution; null for fewer than two. */
function halfWidth(deviation, n) {
  return deviation === null || n < 2 ? null : (studentT(n - 1) * deviation) / Math.sqrt(n);
}

/** The ranks of some values, of which the smallest has rank 1; equal values share the mean of their ranks. */
function ranksOf(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks = [];
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && values[order[end]] === values[order[start]]) end += 1;
    for (let i = start; i < end; i += 1) ranks[order[i]] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}

/** The p-value of Friedman's test of ranks, a row a method and a column a class; null for fewer than three methods. */
function friedman(ranks) {
  const [k, n] = [ranks.length, ranks[0].length];
  if (k < 3) return null;
  const between = sum(ranks.map((row) => (sum(row) - (n * (k + 1)) / 2) ** 2));
  const within = sum(ranks.flat().map((rank) => (rank - (k + 1) / 2) ** 2));
  return within === 0 ? 1 : chiSquareTail(((k - 1) * between) / within, k - 1);
}

/** The probability that a chi-square variable of `df` degrees of freedom is above x. */
function chiSquareTail(x, df) {
  const half = x / 2;
  let term = df % 2 ? Math.sqrt(half / Math.PI) * 2 * Math.exp(-half) : Math.exp(-half);
  let tail = df % 2 ? erfc(Math.sqrt(half)) : 0;
  for (let i = df % 2 ? 3 : 2; i <= df; i += 2) {
    tail += term;
    term *= x / i;
  }
  return tail;
}

/** Differences of which Wilcoxon's test is exact; of more, it is that of the normal distribution, as in scipy. */
const MOST_EXACT = 50;

/** The two-sided p-value of Wilcoxon's signed-rank test, exact for ties as well; differences that are 0 do not count. */
function signedRank(differences) {
  const rest = differences.map((one) => Math.round(one * 1e6)).filter((one) => one !== 0);
  const ranks = ranksOf(rest.map(Math.abs));
  if (rest.length > MOST_EXACT) return signedRankByNormal(rest, ranks);
  const doubled = ranks.map((rank) => Math.round(2 * rank));
  const total = sum(doubled);
  // ways[s]: the share of all choices of signs for which the doubled ranks of positive sign add up to s.
  const ways = new Float64Array(total + 1);
  ways[0] = 1;
  for (const rank of doubled) {
    for (let s = total; s >= 0; s -= 1) ways[s] = (ways[s] + (s >= rank ? ways[s - rank] : 0)) / 2;
  }
  const positive = sum(doubled.filter((_, i) => rest[i] > 0));
  const tail = sum(Array.from(ways.slice(0, Math.min(positive, total - positive) + 1)));
  return Math.min(2 * tail, 1);
}

function signedRankByNormal(differences, ranks) {
  const total = sum(ranks);
  const positive = sum(ranks.filter((_, i) => differences[i] > 0));
  const deviation = Math.sqrt(sum(ranks.map((rank) => rank * rank)) / 4);
  return erfc(Math.abs(positive - total / 2) / deviation / Math.SQRT2);
}

/** P-values, corrected for their number by Holm's method. */
function holm(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const corrected = [];
  let largest = 0;
  order.forEach((index, place) => {
    largest = Math.max(largest, Math.min((values.length - place) * values[index], 1));
    corrected[index] = largest;
  });
  return corrected;
}

/**
 * The items over which means are taken, as a list in the order of the first that has them: classes, or classes and
 * seeds. Of the set of each method and what all share, it is that for which items times methods is the largest.
 */
function shared(sets) {
  const keyOf = (set) => [...set].sort().join("|");
  const counts = new Map();
  for (const set of sets.filter(({ size }) => size)) {
    const known = counts.get(keyOf(set)) ?? { set, count: 0 };
    counts.set(keyOf(set), { ...known, count: known.count + 1 });
  }
  const distinct = [...counts.values()];
  if (!distinct.length) return [];
  const all = distinct.map(({ set }) => set).reduce((left, set) => new Set([...left].filter((one) => set.has(one))));
  const holds = (set, items) => [...items].every((one) => set.has(one));
  const compared = (items) => sum(distinct.filter(({ set }) => holds(set, items)).map(({ count }) => count));
  let best = { items: all, size: all.size * compared(all) };
  for (const { set } of distinct) {
    const size = set.size * compared(set);
    if (size > best.size || (size === best.size && set.size > best.items.size)) best = { items: set, size };
  }
  return [...best.items];
}
