/** How the page looks: legible in light, in dark and on paper, on a phone as well. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --raised: #f5f6f8; --ink: #1b1f24; --muted: #57606a; --rule: #d5d9df;
  --error: #b3261e; --warning: #8a5300; --manual: #0b5cad; --good: #1a7037;
  --rate: #0b5cad; --size: #6f42c1; --aside: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --raised: #1d2127; --ink: #e8eaed; --muted: #a3abb5; --rule: #363c45;
    --error: #ff9b94; --warning: #f2b866; --manual: #8ec2ff; --good: #7fd49a;
    --rate: #8ec2ff; --size: #c7a6ff; --aside: #ff9b94;
  }
}
@media print {
  :root {
    --paper: #ffffff; --raised: #ffffff; --ink: #000000; --muted: #444444; --rule: #bbbbbb;
    --error: #b3261e; --warning: #8a5300; --manual: #0b5cad; --good: #1a7037;
    --rate: #0b5cad; --size: #6f42c1; --aside: #b3261e;
  }
  article, figure { break-inside: avoid; }
}
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 56rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
code, .key { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.verdict { font-size: 1.15rem; font-weight: 600; border-left: .3rem solid currentColor; padding: .15rem 0 .15rem .75rem; }
.facts { display: grid; grid-template-columns: fit-content(45%) 1fr; gap: .3rem 1.25rem; margin: 1.25rem 0; }
.facts dt { color: var(--muted); overflow-wrap: anywhere; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
article { background: var(--raised); border: 1px solid var(--rule); border-left: .3rem solid var(--mark); border-radius: .3rem; padding: .9rem 1.1rem; margin: .8rem 0; }
article header { display: flex; flex-wrap: wrap; gap: .35rem .8rem; align-items: baseline; }
.badge { color: var(--mark); border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; font-weight: 600; }
.count { font-weight: 600; margin-left: auto; }
.error { --mark: var(--error); } .warning { --mark: var(--warning); } .manual { --mark: var(--manual); }
.clean { color: var(--good); } .findings, .failed { color: var(--error); } .left, .noted { color: var(--warning); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--muted); padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--rule); }
td { overflow-wrap: anywhere; min-width: 4rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1.5rem 0 2.5rem; }
figcaption { margin-bottom: 1.25rem; }
.picture { display: block; width: 100%; min-width: 36rem; height: auto; font-family: inherit; }
ul.next { margin: .5rem 0; padding-left: 1.2rem; }
.checks th code, .runs td { white-space: nowrap; }
@media (max-width: 44rem) {
  .checks thead { display: none; }
  .checks tr, .checks th, .checks td { display: block; padding-right: 0; }
  .checks th { border-bottom: 0; padding-bottom: 0; }
}
ul.objects { margin: .5rem 0 0; padding-left: 1.2rem; }
ul.keys { margin: .3rem 0 0; padding-left: 1.2rem; }
summary { cursor: pointer; color: var(--muted); }
footer { margin-top: 3rem; color: var(--muted); font-size: .9rem; }
`;
