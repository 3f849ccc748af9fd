// Statistics that follow what the reader ticks; omasgan/report/ranking.py computes the same for the files beside the page.

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

/** The standard deviation (ddof 1); null for fewer than two values. */
function standardDeviation(values) {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - centre) ** 2)) / (values.length - 1));
}

/** Half the width of the 95 % interval of a mean of n values by Student's t distribution; null for fewer than two. */
function halfWidth(deviation, n) {
  if (deviation === null || n < 2) return null;
  const { t } = data.quantiles;
  return (t[Math.min(n - 2, t.length - 1)] * deviation) / Math.sqrt(n);
}

/** The ranks of some values, of which the smallest has rank 1; equal values share the mean of their ranks. */
function ranksOf(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks = [];
  for (let start = 0; start < order.length; ) {
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

/** The two-sided p-value of Wilcoxon's signed-rank test, exact for ties as well; differences that are 0 do not count. */
function signedRank(differences) {
  const rest = differences.map((one) => Math.round(one * 1e6)).filter((one) => one !== 0);
  const doubled = ranksOf(rest.map(Math.abs)).map((rank) => Math.round(2 * rank));
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
 * The classes on which methods are compared, so that no two means are over different classes: the set of one of them,
 * or what all share, for which classes times methods that have all of them is the largest.
 */
function commonClasses(sets) {
  const have = sets.filter((set) => set.length);
  if (!have.length) return [];
  const shared = have.reduce((left, set) => left.filter((one) => set.includes(one)));
  const distinct = new Map([...have, shared].map((set) => [JSON.stringify(set), set]));
  let best = { classes: [], size: 0 };
  for (const classes of distinct.values()) {
    const size = classes.length * have.filter((set) => classes.every((one) => set.includes(one))).length;
    if (size > best.size || (size === best.size && classes.length > best.classes.length)) best = { classes, size };
  }
  return best.classes;
}
