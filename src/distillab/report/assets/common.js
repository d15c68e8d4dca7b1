"use strict";
/* What every page shares: its data, its controls, and the drawing of a chart. Text is set as text, never as markup. */
window.distillab = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const shown = { charts: {}, ready: null, firstChart: null };

  /* Rows of a chart's table as objects; their fields stand once in the page. */
  const rows = (fields, table) => table.map((row) => Object.fromEntries(fields.map((name, index) => [name, row[index]])));

  /* Draws a chart's data, { tables, values }, into its place; `without` names tables to leave empty. */
  async function draw(name, { tables, values }, { chart = name, fields = chart, without = [] } = {}) {
    const place = find(`chart-${name}`);
    if (!place) return;
    const spec = JSON.parse(JSON.stringify(data.charts[chart]), (key, value) =>
      typeof value === "string" && value.startsWith("$") ? values?.[value.slice(1)] ?? value : value);
    Object.assign(spec.datasets ??= {}, Object.fromEntries(Object.entries(data.fields[fields]).map(([table, names]) =>
      [table, without.includes(table) ? [] : rows(names, tables[table] ?? [])])));
    shown.charts[name]?.finalize();
    const logLevel = 1; // errors alone: tables may be empty, of which Vega warns
    shown.charts[name] = await vegaEmbed(place, spec, { actions: false, renderer: "svg", ast: true, defaultStyle: false, logLevel });
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

  const options = (id, values, chosen) =>
    find(id)?.replaceChildren(...values.map(([value, text]) => new Option(text, value, value === chosen, value === chosen)));

  const listen = (id, event, then) =>
    find(id)?.addEventListener(event, (happened) => { shown.ready = Promise.resolve(then(happened.target)); });

  return Object.assign(shown, { data, find, draw, show, element, options, listen });
})();
