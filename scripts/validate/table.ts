/** What people read at the end: a table of the findings by severity, and what to do about each. */
import Table from 'cli-table3';
import type { CheckResult, Severity } from '../../functions/_shared/validation.ts';
import { counted, duration, objectText, whole } from '../command/figures.ts';
import { usualWidth } from '../command/labelled.ts';
import type { Paint } from '../command/printable.ts';
import { colours } from '../command/terminal.ts';
import { wrapParts, wrapWords } from '../command/wrap.ts';
import type { Checked, Purpose } from './checks.ts';
import type { Ending, Frame, Status } from './verdict.ts';
import {
  broken,
  checksText,
  findings,
  fixText,
  foundText,
  phaseText,
  rowsText,
  troubleText,
} from './words.ts';

/** A table of so many columns wants room. */
const narrow = 80;

/** So many objects or keys are shown for a check. */
const shown = 10;

/** Everything on stdout, line by line. */
export function toText(frame: Frame, ending: Ending): string[] {
  const paint = colours(process.stdout);
  const { checked } = ending;
  // Who declined has just seen it.
  const parts = checked && checked.outcome !== 'declined' ? result(frame, checked, paint) : [];
  const blocks = [...parts, conclusion(frame, ending, paint)].filter((lines) => lines.length > 0);
  return blocks.flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}

function result({ options }: Frame, { answer, purpose }: Checked, paint: Paint): string[][] {
  const found = findings(answer);
  const figures = answer.checks.filter(({ facts }) => objectText(facts));
  return [
    found.length > 0 ? table(purpose, found, paint) : [],
    ...found.map((check) => details(check, options.detailed, paint)),
    list(
      paint.bold('Figures'),
      figures.map(({ name, facts }) => `${name}: ${objectText(facts)}`),
    ),
    list(
      paint.red('Could not be done'),
      broken(answer).map((check) => `${check.name}: ${troubleText(check)}`),
    ),
  ];
}

function list(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}

const severityColours = { error: 'red', warning: 'yellow', manual: 'cyan' } as const satisfies Record<
  Severity,
  keyof Paint
>;

const fixTitles: Record<Purpose, string | undefined> = {
  check: undefined,
  preview: 'Would fix',
  fix: 'Fixed',
};

/** The findings, a row each. */
export function table(purpose: Purpose, found: readonly CheckResult[], paint: Paint): string[] {
  const fixTitle = fixTitles[purpose];
  const head = ['Severity', 'Check', 'Found', ...(fixTitle ? [fixTitle] : []), 'What to do'];
  const rows = found.map((check) => [
    check.severity,
    check.name,
    foundText(check),
    ...(fixTitle ? [fixText(check, purpose)] : []),
    check.remedy,
  ]);
  const colour = (index: number) => paint[severityColours[found[index]?.severity ?? 'error']];
  const columns = process.stdout.columns || usualWidth;
  if (columns < narrow) {
    return rows.flatMap(([severity = '', name = '', ...cells], i) => [
      ...wrapParts(
        [
          { text: severity, paint: colour(i) },
          { text: name, paint: paint.bold },
        ],
        columns - 1,
      ),
      ...cells.flatMap((cell, column) => wrapWords(`  ${head[column + 2]}: ${cell}`, columns - 1)),
    ]);
  }
  const widths = head.slice(0, -1).map((title, column) => {
    const texts = rows.map((row) => row[column]?.length ?? 0);
    return 2 + Math.min(32, Math.max(title.length, ...texts));
  });
  const rest = Math.min(columns, 140) - widths.reduce((sum, one) => sum + one + 1, 2);
  const colWidths = [...widths, Math.max(20, rest)];
  const drawn = new Table({
    head: head.map((title) => paint.bold(title)),
    colWidths,
    colAligns: head.map((title) => (title === 'Found' ? 'right' : 'left')),
    style: { head: [], border: [] },
  });
  for (const [i, row] of rows.entries()) {
    // Wrapped here: the table itself cuts off what is longer than a line.
    const cells = row.map((cell, column) => wrapWords(cell, (colWidths[column] ?? 0) - 2).join('\n'));
    drawn.push([colour(i)(cells[0] ?? ''), ...cells.slice(1)]);
  }
  return drawn.toString().split('\n');
}

/** Objects with what is wrong with each; with --detailed also what it means, and keys. */
function details(check: CheckResult, detailed: boolean, paint: Paint): string[] {
  const objects = check.findings
    .slice(0, shown)
    .flatMap(({ object, message, hint }) => [
      `${object}: ${message}`,
      ...(hint && hint !== check.remedy ? [`  ${hint}`] : []),
    ]);
  const keys = detailed && objects.length === 0 ? check.keys.slice(0, shown) : [];
  const more = check.found - Math.max(keys.length, Math.min(shown, check.findings.length));
  const lines = [...(detailed ? [check.meaning] : []), ...objects, ...keys];
  if (more > 0 && (objects.length > 0 || keys.length > 0)) lines.push(`… and ${whole(more)} more`);
  return list(paint.bold(check.name), lines);
}

const statusColours = {
  clean: 'green',
  findings: 'red',
  left: 'yellow',
  failed: 'red',
  usage: 'red',
  interrupted: 'yellow',
} as const satisfies Record<Status, keyof Paint>;

function conclusion(frame: Frame, ending: Ending, paint: Paint): string[] {
  const { checked, error, report } = ending;
  const done = checked && [
    `${checksText(checked.answer)} ${phaseText(checked.answer)}`,
    rowsText(checked.answer),
    duration(checked.durationMs),
    frame.retries > 0 && counted(frame.retries, 'call tried again', 'calls tried again'),
  ];
  return [
    paint[statusColours[ending.status]](ending.message),
    error && [error.code, error.message].filter(Boolean).join(': '),
    error?.hint,
    done?.filter(Boolean).join(' · '),
    report && `Report: ${report}`,
    ...ending.next,
  ].filter((line): line is string => Boolean(line));
}
