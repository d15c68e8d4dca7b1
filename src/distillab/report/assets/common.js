"use strict";
/* What every page shares: its data, its controls, and the drawing of a chart. Text is set as text, never as markup. */
window.distillab = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const shown = { charts: {}, ready: null, firstChart: null };
  const finite = (values) => values.filter((value) => value !== null && Number.isFinite(value));

  function limits(values, least, share = 0.08) {
    const there = finite(values);
    if (!there.length) return [0, 1];
    const low = Math.min(...there), high = Math.max(...there);
    const height = Math.max(high - low, least);
    const middle = (low + high) / 2;
    return [middle - height * (0.5 + share), middle + height * (0.5 + share)];
  }

  /* Puts titles and limits in the place of strings that begin with a dollar sign. */
  function filled(chart, values) {
    return JSON.parse(JSON.stringify(chart), (key, value) =>
      typeof value === "string" && value.startsWith("$") && value.slice(1) in values ? values[value.slice(1)] : value);
  }

  async function draw(name, datasets, values = {}) {
    const place = find(`chart-${name}`);
    if (!place) return;
    const spec = filled(data.charts[name], values);
    spec.datasets = datasets;
    if (shown.charts[name]) shown.charts[name].finalize();
    shown.charts[name] = await vegaEmbed(place, spec, { actions: false, renderer: "svg", ast: true, defaultStyle: false });
    place.querySelector("svg").setAttribute("aria-hidden", "true"); // the place itself is an image with a name
    shown.firstChart ??= performance.now();
  }

  function show(id, there) {
    const part = find(id);
    if (part) (part.closest("figure") ?? part).hidden = !there;
  }

  const element = (tag, kind, text) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  function options(id, values, chosen) {
    const control = find(id);
    if (!control) return;
    control.replaceChildren(...values.map(([value, text]) => new Option(text, value, value === chosen, value === chosen)));
  }

  function listen(id, event, then) {
    find(id)?.addEventListener(event, (happened) => { shown.ready = Promise.resolve(then(happened.target)); });
  }

  return Object.assign(shown, { data, find, finite, limits, draw, show, element, options, listen });
})();
