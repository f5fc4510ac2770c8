"""How a page looks: light and dark, on a phone, and printed.

Every text has a contrast of 4.5 to 1 at the least with what it stands on, and no colour says what no word says.
"""

from __future__ import annotations

_LIGHT = {
    "paper": "#ffffff", "raised": "#f6f8fa", "ink": "#1f2328", "soft": "#59636e", "rule": "#d1d9e0",
    "link": "#0a58ca", "pass": "#116329", "fail": "#b3261e", "blind": "#7a5200",
}  # fmt: skip
_DARK = {
    "paper": "#0d1117", "raised": "#161b22", "ink": "#e6edf3", "soft": "#9198a1", "rule": "#3d444d",
    "link": "#79b8ff", "pass": "#56d364", "fail": "#ff8a80", "blind": "#e3b341",
}  # fmt: skip

_RULES = """
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main, footer { max-width: 66rem; margin: 0 auto; padding: 1rem }
.result + .result { margin-top: 3rem; border-top: 2px solid var(--rule) }
footer { color: var(--soft) }
h1 { font-size: 1.25rem } h2 { font-size: 1.1rem; margin-top: 2rem } h3 { font-size: 1rem; margin: 0 }
a { color: var(--link) }
pre, code, td, tbody th { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }
pre { overflow-x: auto; margin: 0.5rem 0; padding: 0.75rem; background: var(--raised); font-size: 0.85rem;
  overflow-wrap: normal }
.verdict, .finding { padding: 0.75rem 1rem; background: var(--raised); border-left: 0.4rem solid var(--ink) }
.verdict { font-size: 1.1rem }
.finding { margin: 1rem 0 } .finding p { margin: 0.5rem 0 }
.verdict.pass { border-color: var(--pass) } .verdict.blind { border-color: var(--blind) }
.verdict.fail, .finding { border-color: var(--fail) } .finding.note { border-color: var(--soft) }
strong.pass, .letter.pass { color: var(--pass) } strong.blind, .letter.blind { color: var(--blind) }
strong.fail, .letter.fail { color: var(--fail) }
.letter { font-weight: bold } .letter.soft { font-weight: normal; color: var(--soft) }
.scroll { overflow-x: auto; margin: 1.5rem 0 }
table { border-collapse: collapse; font-size: 0.9rem; overflow-wrap: normal }
caption { text-align: left; padding-bottom: 0.25rem; color: var(--soft) }
th, td { padding: 0.3rem 0.75rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule) }
thead th { border-bottom: 2px solid var(--ink); white-space: nowrap }
tbody th { font-weight: normal }
td { white-space: pre } td.words { white-space: normal; min-width: 8rem }
th.words, td.words { text-align: left } td.letters { white-space: pre; min-width: 0; font-size: 1rem }
tbody tr:hover { background: var(--raised) }
details { margin: 0.5rem 0 } summary { cursor: pointer; color: var(--link) }
details > div { padding-left: 1rem; border-left: 1px solid var(--rule) }
figure { margin: 1.5rem 0; overflow-x: auto } figcaption { padding-top: 0.5rem; color: var(--soft) }
figure img, figure svg { display: block; max-width: 100%; min-width: 40rem; height: auto }
figure img { background: #ffffff; border: 1px solid var(--rule) }
:focus-visible { outline: 3px solid var(--link) }
"""
# A row of a table becomes a list: six numbers side by side do not fit.
_NARROW = """
@media screen and (max-width: 40rem) {
  table.stacked, .stacked caption { display: block }
  .stacked thead { position: absolute; clip-path: inset(50%) }
  .stacked tbody, .stacked tr { display: grid; width: 100% }
  .stacked tr { padding: 0.5rem 0; border-bottom: 1px solid var(--rule) }
  .stacked th, .stacked td { display: flow-root; padding: 0.1rem 0; border: 0; white-space: normal;
    text-align: right; overflow-wrap: anywhere }
  .stacked th { font-weight: bold } .stacked th, .stacked td.words { text-align: left }
  .stacked td:empty { display: none }
  .stacked [data-head]::before { content: attr(data-head); color: var(--soft); font-weight: normal; float: left;
    margin-right: 1rem; font-family: system-ui, sans-serif }
}
"""
_PRINTED = """
@media print {
  body { font-size: 11pt } main, footer { max-width: none; padding: 0 }
  tr, .finding, .verdict, figure, pre { break-inside: avoid } h2, h3, summary { break-after: avoid }
  .scroll, pre, figure { overflow: visible } pre { white-space: pre-wrap }
  figure img, figure svg { min-width: 0 }
  details::details-content { content-visibility: visible; block-size: auto }
}
"""


def stylesheet() -> str:
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{_variables(_DARK)}\n}}"
    return f":root {{ color-scheme: light dark }}\n{_variables(_LIGHT)}\n{dark}{_RULES}{_NARROW}{_PRINTED}"


def _variables(colours: dict[str, str]) -> str:
    return f":root {{ {'; '.join(f'--{name}: {colour}' for name, colour in colours.items())} }}"
