/** The lines of `npm run bench -- fleet`, as people read them. */
import Table from 'cli-table3';
import { duration, whole } from '../scripts/command/figures.ts';
import type { Capacity } from './fleet-control.ts';
import { middle } from './middle.ts';

/** A way to migrate all members, in one round. */
export interface Line {
  round: number;
  way: string;
  workers: number;
  seconds: number;
  membersPerMinute: number;
  killed: number;
  takenOver: number;
  /** Of the workers: at the end of the first third, and at the end. */
  megabytes: { early: number; late: number } | undefined;
  /** Of a fleet: of each member from being taken to its end, the shortest first; without those taken twice. */
  memberSeconds?: number[];
  /** Of the control database: for each member, with what workers ask meanwhile, and of each worker in a second without any. */
  transactions?: { perMember: number; idlePerSecond: number };
  moved: number;
  wrong: number;
}

/** The table of all lines, the middle round of each, and that of the control database alone. */
export function toText(
  lines: readonly Line[],
  control: readonly Capacity[],
  { members, users, slots }: { members: number; users: number; slots: number },
): string {
  const times = timesOfDirectly(lines);
  const table = new Table({
    head: [
      'way',
      'workers',
      'time',
      'members/min',
      'times directly',
      'killed',
      'taken over',
      'MB early/late',
      'moved once',
      'wrong',
    ],
    style: { head: [], border: [] },
  });
  for (const same of Map.groupBy(lines, ({ way, workers: count }) => `${way} ${count}`).values()) {
    const line = middle(same, ({ seconds }) => seconds);
    table.push([
      line.way,
      line.workers,
      duration(line.seconds * 1000),
      whole(line.membersPerMinute),
      shown(same.map((one) => times.get(one) ?? Number.NaN)),
      line.killed,
      line.takenOver,
      line.megabytes ? `${Math.round(line.megabytes.early)} / ${Math.round(line.megabytes.late)}` : '',
      whole(line.moved),
      line.wrong,
    ]);
  }
  const load = new Table({
    head: ['connections', 'jobs/s', 'a job, p50 / p95', 'transactions/s'],
    style: { head: [], border: [] },
  });
  for (const { connections, jobs, seconds, jobMs, transactionsPerSecond } of control) {
    load.push([
      connections,
      whole(jobs / seconds),
      `${duration(jobMs.p50)} / ${duration(jobMs.p95)}`,
      whole(transactionsPerSecond),
    ]);
  }
  return `${whole(members)} members of ${whole(users)} users, ${slots} at a time of each worker
${table.toString()}
The control database alone: a job taken, noted, ended and made again
${load.toString()}`;
}

/** How many times as long as the direct calls of its round each line took. */
function timesOfDirectly(lines: readonly Line[]): Map<Line, number> {
  const directly = new Map(
    lines.filter(({ way }) => way === 'directly').map((one) => [one.round, one.seconds]),
  );
  return new Map(lines.map((line) => [line, line.seconds / (directly.get(line.round) ?? Number.NaN)]));
}

function shown(ratios: readonly number[]): string {
  const range = [Math.min(...ratios), Math.max(...ratios)].map((one) => one.toFixed(2));
  const said = middle(ratios, (one) => one).toFixed(2);
  return ratios.length > 1 ? `${said} (${range.join(' to ')})` : said;
}
