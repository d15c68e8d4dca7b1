"use strict";
/* Feeds the chart of several studies. */
(() => {
  const { data, limits, draw, options, listen } = distillab;
  const first = Object.keys(data.measures)[0];
  const state = { metric: first, shown: "difference" };

  async function drawComparison() {
    const m = data.measures[state.metric], digits = m.unit === "%" ? 2 : 4, difference = state.shown === "difference";
    const word = (value) => (value === null ? "-" : `${difference && value > 0 ? "+" : ""}${(m.factor * value).toFixed(digits)}`);
    const rows = data.lines.flatMap((line) => line.metrics[state.metric].rows.map(([n, mean, low, high, toLabels], index) => {
      const alpha = line.alphas[index];
      const found = !difference ? [mean, low, high, toLabels ? toLabels[3] : null] : alpha === 1 ? [0, 0, 0, null] : toLabels ?? [null, null, null, null];
      const [value, from, to, p] = found;
      const scaled = (number) => (number === null ? null : m.factor * number);
      return { name: line.name, alpha, n, value: scaled(value), low: scaled(from), high: scaled(to), told: {
        study: line.name, alpha: String(alpha), n: String(n), shown: word(value),
        "95 % interval": from === null ? "-" : `${word(from)} to ${word(to)}`,
        "p after Holm": p === null || p === undefined ? "-" : p < 1e-4 ? "< 0.0001" : String(p) } };
    })).filter((row) => row.n > 0 && row.value !== null);
    await draw("comparison", { rows, zero: difference && rows.length ? [{ value: 0 }] : [] }, { names: data.lines.map((line) => line.name),
      limits: limits([...(difference ? [0] : []), ...rows.flatMap((row) => [row.value, row.low, row.high])], 1e-3 * m.factor),
      y: difference ? `${m.label}: difference to labels alone${m.difference ? ` (${m.difference})` : ""}` : `test ${m.axis}` });
  }

  options("metric", Object.entries(data.measures).map(([name, m]) => [name, m.label]), first);
  listen("metric", "change", (control) => { state.metric = control.value; return drawComparison(); });
  listen("shown", "change", (control) => { state.shown = control.value; return drawComparison(); });
  distillab.ready = drawComparison();
})();
