"""The page's style sheet: one column, wide tables that scroll by themselves, light and dark."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --pale: #f3f5f7;
  --good: #00684c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #a2abb5; --paper: #14181d; --line: #3a424b; --pale: #1e242b; --good: #4fc3a1; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
header, main, footer { max-width: 60rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
p, li, dd { max-width: 46rem; overflow-wrap: anywhere; }
.answer p:first-of-type { font-weight: 600; }
.soft, footer, figcaption { color: var(--soft); font-size: .9rem; }
figure { margin: 1rem 0; }
figure .plate { background: #ffffff; padding: .5rem; border-radius: .4rem; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 30rem; max-width: 100rem; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; white-space: nowrap; }
caption { text-align: left; color: var(--soft); padding: .3rem 0; white-space: normal; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
tr.chosen { background: var(--pale); font-weight: 600; }
td.in { color: var(--good); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; }
code { background: var(--pale); padding: .1em .3em; border-radius: .2em; overflow-wrap: anywhere; }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
""".strip()
