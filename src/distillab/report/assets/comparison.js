"use strict";
/* Chooses what the chart of several studies shows. */
(() => {
  const { data, draw, options, listen } = distillab;
  const state = { metric: Object.keys(data.measures)[0], shown: "difference" };
  const drawComparison = () => draw("comparison", data.lines[state.metric][state.shown]);
  options("metric", Object.entries(data.measures), state.metric);
  for (const control of ["metric", "shown"])
    listen(control, "change", ({ value }) => { state[control] = value; return drawComparison(); });
  distillab.ready = drawComparison();
})();
