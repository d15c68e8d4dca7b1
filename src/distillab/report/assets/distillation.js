"use strict";
/* Feeds the charts of a distillation's page. */
(() => {
  const { data, limits, draw } = distillab;

  async function drawSeeds() {
    const found = data.seeds;
    if (!found) return;
    const sides = [["without a teacher", found.baseline], ["student", found.student]];
    const seeds = sides.flatMap(([who, values]) => values.map((value, seed) => ({ who, seed, value: 100 * value,
      told: { seed: String(seed), accuracy: `${(100 * value).toFixed(2)} %` } })));
    const means = sides.map(([who, values]) => ({ who, value: (100 * values.reduce((sum, value) => sum + value, 0)) / values.length }));
    let shown = limits(seeds.map((seed) => seed.value), 1);
    const teacher = 100 * found.teacher, height = shown[1] - shown[0];
    const near = teacher > shown[0] - height && teacher < shown[1] + height;
    if (near) shown = limits([...seeds.map((seed) => seed.value), teacher], 1);
    await draw("seeds", { seeds, means, level: near ? [{ value: teacher }] : [] }, { limits: shown });
  }

  async function drawSearch() {
    const { distilled, alone, chosen, factor, metric } = data.candidates;
    const rows = distilled.map((one) => ({ ...one, value: factor * one.score, told: { alpha: String(one.alpha), temperature: String(one.temperature),
      "learning rate": String(one.learning_rate), loss: one.loss, score: (factor * one.score).toFixed(2), trainings: String(one.trainings) } }));
    const found = rows.filter((one) => one.alpha === chosen.alpha && one.temperature === chosen.temperature && one.learning_rate === chosen.learning_rate);
    const level = alone === null ? [] : [{ value: factor * alone }];
    const values = rows.map((one) => one.value).concat(level.map((one) => one.value)).sort((a, b) => a - b);
    // The worst quarter, such as those of far too low a learning rate, may run off the axis.
    const kept = values.filter((value) => value >= values[Math.floor(values.length / 4)]);
    await draw("search", { candidates: rows.filter((one) => one.value >= kept[0]), chosen: found, level }, { limits: limits(kept, 0.005 * factor), score: `validation ${metric}` });
  }

  distillab.ready = drawSeeds().then(drawSearch);
})();
