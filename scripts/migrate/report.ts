/** What an invocation ends with: one object for machines, a table for people. */
import Table from 'cli-table3';
import type {
  DryRunAnswer,
  PerformanceAnswer,
  Problem,
  ProgressAnswer,
  RollbackUserAnswer,
  StatisticsAnswer,
} from '../../functions/_shared/answers.ts';
import { guideNames, type Words } from '../../functions/_shared/words.ts';
import {
  breakdown,
  bytes,
  counted,
  countedEntities,
  duration,
  heading,
  objectText,
  percent,
  whole,
} from '../command/figures.ts';
import type { Traffic } from '../command/session.ts';
import { colours } from '../command/terminal.ts';
import type { Action } from './actions.ts';
import type { Tally } from './drive.ts';
import { estimateText, stageLines, untriedText } from './dry-run-words.ts';
import { type Ending, exitCodes } from './ending.ts';
import { findingsText } from './findings.ts';
import { planOfTheGuide, withoutGuideNames } from './guide-names.ts';

export interface Frame extends Traffic {
  action: Action;
  plan: string;
}

/** The one object of `--json`. Names are stable; fields that an action has nothing to say about are left out. */
export function toJson(frame: Frame, ending: Ending): Record<string, unknown> {
  const { tally, durationMs } = ending;
  const moved = tally && (frame.action === 'rollback' ? tally.rolledBack : tally.migrated);
  const perSecond = moved && durationMs ? Math.round(moved / (durationMs / 1000)) : undefined;
  return {
    type: 'result',
    action: frame.action,
    plan: frame.plan,
    target: frame.target,
    status: ending.status,
    exit_code: exitCodes[ending.status],
    message: ending.message,
    error: ending.error,
    next: ending.next,
    calls: frame.calls,
    retries: frame.retries,
    lost_replies: frame.lostReplies,
    workers: ending.workers,
    duration_ms: durationMs === undefined ? undefined : Math.round(durationMs),
    per_second: perSecond,
    users_per_second: frame.plan === planOfTheGuide ? perSecond : undefined,
    ...(tally && {
      batches: tally.batches,
      processed: tally.processed,
      migrated: tally.migrated,
      skipped: tally.skipped,
      failed: tally.failed,
      rolled_back: tally.rolledBack,
      conflicts: tally.conflicts,
      rows: tally.rows,
    }),
    findings: frame.action === 'rollback' ? undefined : (ending.progress?.findings ?? undefined),
    state: ending.state,
    rolled_back_user: ending.rolledBackUser,
    dry_run: ending.dryRun,
    finalize: ending.finalize,
    cleanup: ending.cleanup,
    schedule: ending.schedule,
    warnings: ending.warnings,
    progress: withoutGuideNames(frame.plan, ending.progress),
    statistics: withoutGuideNames(frame.plan, ending.statistics),
    performance: withoutGuideNames(frame.plan, ending.performance),
  };
}

/** The table that people read at the end. */
export function toTable(frame: Frame, ending: Ending): string {
  const paint = colours(process.stdout);
  const rows: [string, string][] = [];
  const add = (name: string, value: string | undefined): void => {
    if (value) rows.push([name, value]);
  };
  const colour =
    ending.status === 'done' ? paint.green : ending.status === 'failed' ? paint.red : paint.yellow;

  add('Result', colour(ending.message));
  if (ending.error) add('Error', errorText(ending.error));
  if (ending.tally) addWork(add, frame, ending, ending.tally);
  if (frame.action !== 'rollback') add('Checks', findingsText(ending.progress?.findings));
  if (ending.rolledBackUser) addUser(add, ending.rolledBackUser);
  if (ending.dryRun) addDryRun(add, ending.dryRun);
  add('Warnings', ending.warnings?.join('\n'));
  if (ending.statistics) addStatistics(add, ending.statistics);
  if (ending.performance) addPerformance(add, ending.performance);
  if (ending.progress) addProgress(add, ending.progress);
  add('Next', ending.next.join('\n'));

  const width = Math.max(60, Math.min(process.stdout.columns ?? 110, 130));
  const first = 2 + Math.max(...rows.map(([name]) => name.length));
  const table = new Table({
    colWidths: [first, width - first - 3],
    wordWrap: true,
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  table.push(...rows.map(([name, value]) => [paint.bold(name), value]));
  return table.toString();
}

type Add = (name: string, value: string | undefined) => void;

function errorText({ code, message, hint }: Problem): string {
  return [[code, message].filter(Boolean).join(': '), hint].filter(Boolean).join('\n');
}

function addWork(add: Add, frame: Frame, ending: Ending, tally: Tally): void {
  const ms = ending.durationMs ?? 0;
  // A run that the error budget turned round has done both.
  if (tally.migrated > 0 || (frame.action !== 'rollback' && tally.rolledBack === 0)) {
    add('Migrated', pace(tally.migrated, ms, ending.progress));
  }
  if (tally.rolledBack > 0 || frame.action === 'rollback')
    add('Taken back', pace(tally.rolledBack, ms, ending.progress));
  add('Rows', breakdown(tally.rows));
  const calls = [
    counted(tally.batches, 'batch', 'batches'),
    ending.workers && counted(ending.workers, 'worker'),
    tally.waits > 0 && counted(tally.waits, 'wait'),
    frame.retries > 0 && counted(frame.retries, 'call tried again', 'calls tried again'),
    frame.lostReplies > 0 && 'batches whose reply was lost are done but not counted here',
  ];
  add('Work', calls.filter(Boolean).join(' · '));
}

/** Without the words of the plan, which the figures at the end bring, the number alone. */
function pace(moved: number, ms: number, words: Words | undefined): string {
  const rate = moved > 0 && ms > 0 ? ` (${whole(moved / (ms / 1000))}/s)` : '';
  return `${words ? countedEntities(moved, words) : whole(moved)} in ${duration(ms)}${rate}`;
}

function addUser(add: Add, user: RollbackUserAnswer): void {
  add('Restored', breakdown(user.restored));
  add('Removed', breakdown(user.removed));
  const conflicts = user.conflicts.map(
    ({ relation, key, reason }) => `${relation ?? ''} ${keyText(key)}: ${reason ?? ''}`,
  );
  add('Conflicts', conflicts.slice(0, 10).join('\n'));
}

function keyText(key: unknown): string {
  return typeof key === 'object' && key !== null ? JSON.stringify(key) : String(key ?? '');
}

function addDryRun(add: Add, dry: DryRunAnswer): void {
  if (dry.mode !== 'preflight') {
    add('Tried', stageLines(dry).join('\n'));
    add('Not tried', untriedText(dry));
    add('Rows', breakdown(dry.rows));
    add('Cost', cost(dry));
  }
  add('Checks', findingsText(dry.findings));
  add('Estimate', estimateText(dry));
  add('Failures', listText(dry.failures));
  add('Side effects', listText(dry.side_effects));
  add('Undeclared', listText(dry.undeclared));
  const problems = (dry.problems ?? []).map(({ severity, object, message, hint }) =>
    [`${severity ?? 'problem'}${object ? ` ${object}` : ''}: ${message ?? ''}`, hint && `  ${hint}`]
      .filter(Boolean)
      .join('\n'),
  );
  const notices = (dry.notices ?? []).map(({ object, message }) => `${object ?? ''} ${message ?? ''}`.trim());
  add('Good to know', notices.join('\n'));
  add('Problems', problems.join('\n') || (dry.mode === 'preflight' ? 'none' : undefined));
}

function cost(dry: DryRunAnswer): string {
  return [
    typeof dry.rows_per_second === 'number' && `${whole(dry.rows_per_second)} rows/s`,
    typeof dry.wal_bytes === 'number' && `${bytes(dry.wal_bytes)} WAL`,
    typeof dry.locks_held_ms === 'number' && `locks held for ${duration(dry.locks_held_ms)}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

function listText(list: readonly unknown[] | null | undefined): string {
  if (!list?.length) return '';
  const lines = list
    .slice(0, 10)
    .map((entry) =>
      typeof entry === 'object' && entry !== null
        ? objectText(entry as Record<string, unknown>)
        : String(entry),
    );
  if (list.length > lines.length) lines.push(`… and ${whole(list.length - lines.length)} more (--json)`);
  return lines.join('\n');
}

/** What every plan counts; the rest is the plan's own, and is shown as it names it. */
const countedByAll = new Set([
  'plan',
  'entity_singular',
  'entity_plural',
  'total',
  'migrated',
  'pending',
  'percentage',
  ...guideNames,
]);

function addStatistics(add: Add, statistics: StatisticsAnswer): void {
  const { total_avatars: all, migrated_avatars: made, ...others } = statistics;
  if (statistics.plan === 'avatars')
    add('Avatars', `${whole(all)} in all · ${whole(made)} made by the migration`);
  const own = Object.entries(others).filter(([name]) => !countedByAll.has(name));
  add('Counted', own.map(([name, value]) => `${name.replaceAll('_', ' ')} ${figureText(value)}`).join(' · '));
}

/** A figure of a plan: a number, numbers by name, or several of these. */
function figureText(value: unknown): string {
  if (typeof value === 'number') return whole(value);
  if (Array.isArray(value)) return value.map(figureText).join('; ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, amount]) => `${name} ${figureText(amount)}`)
    .join(', ');
}

/** The figures that people ask for first; --json has all of them. */
function addPerformance(add: Add, performance: PerformanceAnswer): void {
  if (performance.batches === 0) return;
  const now = performance.per_minute_now;
  add(
    'Rate',
    [
      typeof now === 'number' && `${whole(now)} ${performance.entity_plural} a minute now`,
      typeof performance.per_minute_average === 'number' &&
        `${whole(performance.per_minute_average)} on average`,
    ]
      .filter(Boolean)
      .join(' · '),
  );
  const times = Object.entries(performance.batch_ms ?? {}).filter(([, ms]) => typeof ms === 'number');
  const percentiles = times.map(([name, ms]) => `${name} ${duration(ms as number)}`);
  add('Batches', [whole(performance.batches), ...percentiles].join(' · '));
  const troubles: Record<string, number> = {
    ...performance.errors_by_sqlstate,
    deferred: performance.deferred_batches,
    halved: performance.halved_batches,
    'timed out': performance.timed_out_batches,
  };
  add('Troubles', breakdown(troubles));
  add('Raised by', breakdown(performance.errors_by_raiser));
}

function addProgress(add: Add, progress: ProgressAnswer): void {
  const { total, migrated, failed, held, remaining } = progress;
  const state = [progress.state, progress.phase].filter(Boolean).join(', ');
  add('State', state);
  add('Waiting', progress.waiting ?? undefined);
  add('Not counted', progress.count_error ? errorText(progress.count_error) : undefined);
  const about = progress.total_is_estimate ? 'about ' : '';
  add(
    heading(progress),
    `${whole(migrated)} of ${about}${countedEntities(total, progress)} migrated (${percent(migrated, total)})`,
  );
  const left = [
    progress.direction === 'rollback' ? `${whole(migrated)} to take back` : `${whole(remaining)} pending`,
    `${whole(failed)} failed`,
    held > 0 && `${whole(held)} held (rolled back alone)`,
    progress.conflicts > 0 && counted(progress.conflicts, 'conflict'),
  ];
  add('Left', left.filter(Boolean).join(' · '));
}
