/** What came out: the lines, their ratios, and whether each target is reached. */
import Table from 'cli-table3';
import { bytes, counted, whole } from '../scripts/command/figures.ts';
import type { Machine } from './machine.ts';
import type { Measurement } from './measure.ts';
import { type MethodKey, methods } from './methods.ts';

export interface Results {
  machine: Machine;
  users: number;
  rounds: number;
  /** The middle run of each line. */
  lines: Measurement[];
  /** All runs of the lines, round by round. */
  runs: Measurement[];
  /** The mean of (b) at each number of users. */
  scale: Measurement[];
}

export interface Target {
  /** As the table says it. */
  text: string;
  measured: number;
  /** Of the rounds; none where there is one only, or where the mean counts. */
  lowest?: number;
  highest?: number;
  reached: boolean;
}

/** Of each line the run in the middle, by speed; of two the slower one. */
export function middleRuns(runs: readonly Measurement[]): Measurement[] {
  return methods.flatMap(({ key }) => {
    const bySpeed = runs
      .filter(({ method }) => method === key)
      .sort((one, other) => one.usersPerSecond - other.usersPerSecond);
    return bySpeed[Math.ceil(bySpeed.length / 2) - 1] ?? [];
  });
}

/**
 * The mean of some runs of the same thing: where runs of seconds are compared with runs of minutes, since only short ones
 * find the machine at its best from their beginning to their end.
 */
export function mean(runs: readonly Measurement[]): Measurement {
  const [first] = runs;
  if (!first) throw new Error('there is no run');
  const average = (of: (run: Measurement) => number): number =>
    runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
  const seconds = average((run) => run.seconds);
  return {
    ...first,
    seconds,
    usersPerSecond: first.moved / seconds,
    walBytesPerUser: average((run) => run.walBytesPerUser),
    clientBytes: average((run) => run.clientBytes),
    ...(first.serverBytes !== undefined && { serverBytes: average((run) => run.serverBytes ?? 0) }),
    ...(first.serverCpuSeconds !== undefined && {
      serverCpuSeconds: average((run) => run.serverCpuSeconds ?? 0),
    }),
    ...(first.oneBackMs !== undefined && { oneBackMs: average((run) => run.oneBackMs ?? 0) }),
    wrong: Object.assign({}, ...runs.map((run) => run.wrong)),
  };
}

/**
 * How many times as fast one line was as another, once for each group in which they took turns, for the machine's speed
 * changes from minute to minute. What took turns with nobody is compared with the other's middle.
 */
export function ratios(runs: readonly Measurement[], one: MethodKey, other: MethodKey): number[] {
  const of = (key: MethodKey) => runs.filter(({ method }) => method === key);
  const pairs = of(one).flatMap((first) =>
    of(other)
      .filter(({ group }) => group === first.group)
      .map((second) => first.usersPerSecond / second.usersPerSecond),
  );
  if (pairs.length > 0) return pairs;
  const middles = over(middleOf(of(one)), middleOf(of(other)));
  return middles === undefined ? [] : [middles];
}

function middleOf(runs: readonly Measurement[]): number | undefined {
  return median(runs.map(({ usersPerSecond }) => usersPerSecond));
}

/** The targets that can be judged with these lines. */
export function targets(results: Results): Target[] {
  const found: Target[] = [];
  const judge = (text: string, values: readonly number[], isReached: (measured: number) => boolean): void => {
    const measured = median(values);
    if (measured === undefined) return;
    const span = values.length > 1 && { lowest: Math.min(...values), highest: Math.max(...values) };
    found.push({ text, measured, ...span, reached: isReached(measured) });
  };
  const atLeast = (text: string, values: readonly number[], bound: number): void =>
    judge(text, values, (measured) => measured >= bound);
  const atMost = (text: string, values: readonly number[], bound: number): void =>
    judge(text, values, (measured) => measured <= bound);
  const ratio = (one: MethodKey, other: MethodKey): number[] => ratios(results.runs, one, other);

  atMost('b takes at most 1.1 times as long as a', ratio('a', 'b'), 1.1);
  atMost('b takes at most 1.15 times as long as d', ratio('d', 'b'), 1.15);
  atLeast('c is at least 1.6 times as fast as b', ratio('c', 'b'), 1.6);
  atMost('e takes at most 1.1 times as long as b', ratio('b', 'e'), 1.1);
  atLeast('b is at least 3 times as fast as f', ratio('b', 'f'), 3);
  atLeast('b is at least 15 times as fast as g', ratio('b', 'g'), 15);
  atLeast('r is at least as fast as b', ratio('r', 'b'), 1);

  const bySize = [...results.scale].sort((one, other) => one.users - other.users);
  const [smallest, largest] = [bySize[0], bySize.at(-1)];
  if (smallest && largest && smallest !== largest) {
    const [few, many] = [whole(smallest.users), whole(largest.users)];
    atLeast(
      `b at ${many} is at least 0.9 times as fast as at ${few}`,
      [largest.usersPerSecond / smallest.usersPerSecond],
      0.9,
    );
    atMost(
      `b's client takes at most 1.1 times the memory at ${many} as at ${few}`,
      [largest.clientBytes / smallest.clientBytes],
      1.1,
    );
  }
  return found;
}

/** For people: tables on a terminal. */
export function toText(results: Results): string {
  const parts = [
    machineText(results.machine),
    `${counted(results.users, 'user')}, 5 posts and 2 follows each:`,
    terminalTable(lineRows(results)),
  ];
  if (results.scale.length > 0) parts.push('(b) by number of users:', terminalTable(scaleRows(results)));
  const judged = targets(results);
  if (judged.length > 0) parts.push(targetTitle(results), terminalTable(targetRows(judged)));
  return parts.join('\n');
}

/** For docs/benchmarks.md: the same tables. */
export function toMarkdown(results: Results): string {
  const { users, rounds } = results;
  const parts = [
    `${machineText(results.machine)}`,
    `${counted(users, 'user')}, 5 posts and 2 follows each. ${
      rounds > 1 ? `a to f and r are the middle of ${rounds} rounds; the others were run once.` : ''
    }`.trim(),
    markdownTable(lineRows(results)),
  ];
  if (results.scale.length > 0)
    parts.push(
      `(b) by number of users${rounds > 1 ? ', the mean of two rounds' : ''}:`,
      markdownTable(scaleRows(results)),
    );
  const judged = targets(results);
  if (judged.length > 0) parts.push(targetTitle(results), markdownTable(targetRows(judged)));
  return parts.join('\n\n');
}

/** For machines. */
export function toJson(results: Results): Record<string, unknown> {
  return { ...results, targets: targets(results) };
}

const titles = [
  '',
  'line',
  'users/s',
  'relative to b',
  'seconds',
  'server CPU',
  'WAL per user',
  'client memory',
  'server memory',
];

function lineRows(results: Results): string[][] {
  const rows = methods.flatMap(({ key, title, most }) => {
    const line = results.lines.find((candidate) => candidate.method === key);
    if (!line) return [];
    const ratio = key === 'b' ? 1 : median(ratios(results.runs, key, 'b'));
    const subset = most && line.moved < line.users ? ` (on ${whole(line.moved)} of them)` : '';
    return [[key, title + subset, ...figures(line, ratio)]];
  });
  rows.sort(([one], [other]) => (one ?? '').localeCompare(other ?? ''));
  return [titles, ...rows];
}

function scaleRows(results: Results): string[][] {
  const bySize = [...results.scale].sort((one, other) => one.users - other.users);
  return [
    [
      'users',
      ...titles.slice(2).map((title) => (title === 'relative to b' ? 'relative to the first' : title)),
      'one user back',
    ],
    ...bySize.map((line) => [
      whole(line.users),
      ...figures(line, over(line.usersPerSecond, bySize[0]?.usersPerSecond)),
      line.oneBackMs === undefined ? '' : `${line.oneBackMs.toFixed(1)} ms`,
    ]),
  ];
}

function targetTitle({ rounds }: Results): string {
  return rounds > 1
    ? 'Targets, the ratio of two lines being the middle of those of the groups in which they took turns:'
    : 'Targets:';
}

function targetRows(judged: readonly Target[]): string[][] {
  return [
    ['target', 'measured', 'lowest to highest', 'reached'],
    ...judged.map(({ text, measured, lowest, highest, reached }) => [
      text,
      measured.toFixed(2),
      lowest === undefined || highest === undefined ? '' : `${lowest.toFixed(2)} to ${highest.toFixed(2)}`,
      reached ? 'yes' : 'no',
    ]),
  ];
}

function figures(line: Measurement, ratio: number | undefined): string[] {
  return [
    whole(line.usersPerSecond),
    ratio === undefined ? '' : ratio.toFixed(2),
    line.seconds.toFixed(1),
    line.serverCpuSeconds === undefined ? '' : line.serverCpuSeconds.toFixed(1),
    bytes(line.walBytesPerUser),
    bytes(line.clientBytes),
    line.serverBytes === undefined ? '' : bytes(line.serverBytes),
  ];
}

export function machineText(machine: Machine): string {
  const settings = Object.entries(machine.settings).map(([name, value]) => `${name} ${value}`);
  return `${machine.cpu}, ${counted(machine.cores, 'core')}, ${bytes(machine.memoryBytes)} memory, ${machine.platform}; PostgreSQL ${machine.postgres} (${settings.join(', ')}); Node ${machine.node}.`;
}

function terminalTable([head, ...rows]: string[][]): string {
  const table = new Table({ head: head ?? [], style: { head: [], border: [], compact: true } });
  table.push(...rows);
  return table.toString();
}

function markdownTable([head, ...rows]: string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head ?? []), line((head ?? []).map(() => '---')), ...rows.map(line)].join('\n');
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

function over(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other;
}
