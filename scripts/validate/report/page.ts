/** The page of --report: readable by somebody who was not there. */
import type {
  CheckResult,
  HistoryRun,
  RunHistory,
  Severity,
  ValidationAnswer,
} from '../../../functions/_shared/validation.ts';
import type { Words } from '../../../functions/_shared/words.ts';
import { counted, duration, objectText, whole } from '../../command/figures.ts';
import type { Checked, Purpose } from '../checks.ts';
import type { Ending, Frame } from '../verdict.ts';
import {
  broken,
  checksText,
  findings,
  fixText,
  foundText,
  phaseText,
  rowsText,
  severities,
  summary,
  troubleText,
} from '../words.ts';
import { type Content, html, Markup } from './markup.ts';
import { drawRun } from './picture.ts';
import { directionText, runMs, runText, stateText, timeText } from './runs.ts';
import { style } from './style.ts';

/** All that the page tells. */
export interface Report {
  frame: Frame;
  ending: Ending;
  checked: Checked;
  history: RunHistory;
}

/** So many runs get a picture, the newest first; all of them are in the table. */
const pictures = 4;

/** The page as one HTML document without anything that is elsewhere. */
export function page(report: Report): string {
  const { checked, ending, frame } = report;
  const { answer } = checked;
  const heading = `Validation of the migration ${frame.options.plan}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="robots" content="noindex">
<title>${heading}: ${ending.message}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<header>
<h1>${heading}</h1>
<p class="verdict ${tone(report)}">${ending.message}</p>
${particulars(report)}
${next(report)}
</header>
<main>
${unfinished(answer)}
${found(report)}
${measured(answer)}
${clean(answer)}
${runs(report.history)}
${glossary(report.history)}
</main>
<footer><p>This page holds names of checks and tables, keys and counts, and no other data. It needs no network.</p></footer>
</body>
</html>
`.text;
}

/** Findings below --fail-on are no alarm, but not nothing either. */
function tone({ ending, checked }: Report): string {
  return ending.status === 'clean' && summary(checked.answer) ? 'noted' : ending.status;
}

function particulars({ frame, checked }: Report): Content {
  const { answer, purpose } = checked;
  const { target, options } = frame;
  const where =
    target === undefined || target.kind === 'embedded'
      ? 'the embedded Supabase, for development'
      : new URL(target.url).host;
  const failed = answer.fixes_failed > 0 ? `, ${counted(answer.fixes_failed, 'fix', 'fixes')} failed` : '';
  const fixes: Record<Purpose, string | undefined> = {
    check: undefined,
    preview: 'tried out and taken back: nothing was changed',
    fix: `${counted(answer.fixed, 'finding')} mended${failed}`,
  };
  const entries: [string, Content][] = [
    ['Checked', `${timeText(checked.startedAt)}, in ${duration(checked.durationMs)}`],
    ['Database', where],
    ['Plan', html`<code>${options.plan}</code>`],
    ['When', phaseText(answer)],
    ['Checks', [checksText(answer), rowsText(answer)].filter(Boolean).join(', ')],
    ['Fixes', fixes[purpose]],
  ];
  return html`<dl class="facts">
${entries.filter(([, value]) => value !== undefined).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>`;
}

/** What the command has said to do next, command lines included. */
function next({ ending }: Report): Content {
  return (
    ending.next.length > 0 && html`<ul class="next">${ending.next.map((line) => html`<li>${line}</li>`)}</ul>`
  );
}

/** A check that could not be done comes first: what it would have found nobody knows. */
function unfinished(answer: ValidationAnswer): Content {
  const checks = broken(answer);
  return (
    checks.length > 0 &&
    html`<section aria-labelledby="not-done"><h2 id="not-done">Could not be done</h2>
${checks.map(
  (
    check,
  ) => html`<article class="error"><h3><code>${check.name}</code></h3><p>${troubleText(check)}</p></article>
`,
)}</section>`
  );
}

const severityTexts: Record<Severity, string> = {
  error: 'Errors: the data is not as the migration promises.',
  warning: 'Warnings: nothing is broken, but it should be known or mended.',
  manual: 'To look at: only a person can decide what is right. Imago never changes these by itself.',
};

function found(report: Report): Content {
  const all = findings(report.checked.answer);
  if (all.length === 0) {
    return html`<section aria-labelledby="findings"><h2 id="findings">Findings</h2><p>None.</p></section>`;
  }
  const groups = severities.map((severity) => {
    const checks = all.filter((check) => check.severity === severity);
    return (
      checks.length > 0 &&
      html`<p>${severityTexts[severity]}</p>
${checks.map((check) => finding(check, report.checked.purpose))}`
    );
  });
  return html`<section aria-labelledby="findings"><h2 id="findings">Findings</h2>
${groups}</section>`;
}

function finding(check: CheckResult, purpose: Purpose): Content {
  return html`<article class="${check.severity}">
<header><h3><code>${check.name}</code></h3> <span class="badge">${check.severity}</span> <span class="count">${foundText(check)} found</span></header>
${check.meaning && html`<p>${check.meaning}</p>`}
${check.remedy && !(purpose === 'fix' && check.left === 0) && html`<p><strong>What to do:</strong> ${check.remedy}</p>`}
${purpose !== 'check' && check.fixable && html`<p><strong>${purpose === 'preview' ? 'The fix would mend:' : 'Mended:'}</strong> ${fixText(check, purpose)}</p>`}
${check.findings.length > 0 && html`<ul class="objects">${check.findings.map(({ object, message, hint }) => html`<li><code>${object}</code>: ${message}${hint && hint !== check.remedy && html`<br>${hint}`}</li>`)}</ul>`}
${
  check.keys.length > 0 &&
  check.findings.length === 0 &&
  html`<details open><summary>${check.found > check.keys.length ? `The first ${check.keys.length} keys` : counted(check.keys.length, 'key')}</summary>
<ul class="keys">${check.keys.map((key) => html`<li class="key">${key}</li>`)}</ul></details>`
}
</article>
`;
}

function measured(answer: ValidationAnswer): Content {
  const checks = answer.checks.filter(({ facts }) => objectText(facts));
  return (
    checks.length > 0 &&
    html`<section aria-labelledby="figures"><h2 id="figures">Figures</h2>
<dl class="facts">${checks.map(({ name, facts }) => html`<dt><code>${name}</code></dt><dd>${objectText(facts)}</dd>\n`)}</dl></section>`
  );
}

function clean(answer: ValidationAnswer): Content {
  const checks = answer.checks.filter((check) => check.found === 0 && check.applicable && !check.error);
  const without = answer.checks.filter((check) => !check.applicable);
  return html`<section aria-labelledby="clean"><h2 id="clean">Found nothing</h2>
<div class="scroll"><table class="checks"><caption>${counted(checks.length, 'check')} without a finding</caption>
<thead><tr><th scope="col">Check</th><th scope="col">What a finding would have meant</th></tr></thead>
<tbody>${checks.map(({ name, meaning }) => html`<tr><th scope="row"><code>${name}</code></th><td>${meaning}</td></tr>\n`)}</tbody></table></div>
${without.length > 0 && html`<p>Left out, because this app lacks the tables or columns: ${without.map(({ name }) => name).join(', ')}.</p>`}</section>`;
}

function runs({ runs: all, ...words }: RunHistory): Content {
  if (all.length === 0) {
    return html`<section aria-labelledby="runs"><h2 id="runs">Runs</h2><p>None yet: the migration has not been started.</p></section>`;
  }
  const newest = all.toSorted((a, b) => Number(b.run) - Number(a.run));
  const drawn = newest.filter(({ points }) => points.length > 0).slice(0, pictures);
  return html`<section aria-labelledby="runs"><h2 id="runs">Runs</h2>
<div class="scroll"><table class="runs"><caption>${counted(all.length, 'run')}, the newest first</caption>
<thead><tr><th scope="col" class="number">Run</th><th scope="col">Direction</th><th scope="col">Started</th><th scope="col">Took</th><th scope="col">State</th><th scope="col" class="number">Moved</th><th scope="col" class="number">Set aside</th></tr></thead>
<tbody>${newest.map(runRow)}</tbody></table></div>
${drawn.map((run) => html`<figure><figcaption>${runText(run, words)}</figcaption><div class="scroll">${drawRun(run, runText(run, words), words)}</div></figure>\n`)}</section>`;
}

function runRow(run: HistoryRun): Content {
  const ms = runMs(run);
  return html`<tr><th scope="row" class="number">${run.run}</th><td>${directionText(run)}</td><td>${timeText(run.started_at)}</td><td>${ms === undefined ? '–' : duration(ms)}</td><td>${stateText(run)}</td><td class="number">${whole(run.moved)}</td><td class="number">${whole(run.failed)}</td></tr>
`;
}

const glossary = ({ entity_plural }: Words) => html`<section aria-labelledby="words"><h2 id="words">Words</h2>
<dl class="facts">
<dt>plan</dt><dd>one data migration: which table it walks, which tables it writes, and how</dd>
<dt>run</dt><dd>one execution of a plan in one direction, forward or rollback</dd>
<dt>batch</dt><dd>the ${entity_plural} that one transaction moves</dd>
<dt>set aside</dt><dd>of the ${entity_plural}: could not be moved, while the others were, and can be tried again</dd>
<dt>check</dt><dd>a question to the database that counts what is wrong</dd>
<dt>key</dt><dd>the primary key of a row that a finding is about</dd>
<dt>fix</dt><dd>what <code>--fix-issues</code> does about a finding; a rollback takes it back like anything else</dd>
</dl></section>`;
