"""One module a chart: `x_data` makes plain rows, `x_chart` draws them with Vega-Lite."""
