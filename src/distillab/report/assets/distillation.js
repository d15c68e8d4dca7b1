"use strict";
/* Draws the charts of a distillation's page. */
distillab.ready = (async () => {
  for (const name of ["seeds", "roc", "pr", "pairs", "residuals", "confusion", "search"]) if (distillab.data[name]) await distillab.draw(name, distillab.data[name]);
})();
