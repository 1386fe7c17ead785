/** What an invocation ends with: one object for machines, a table for people. */
import type {
  Bloated,
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
  whole,
} from '../command/figures.ts';
import { conditionIn, limitsText, noticesOf, shortText } from '../command/health.ts';
import { labelled, type Row } from '../command/labelled.ts';
import { lineBreak } from '../command/printable.ts';
import {
  leftParts,
  migratedText,
  outsideText,
  percentText,
  rateText,
  restText,
  stageParts,
} from '../command/progress-words.ts';
import type { Traffic } from '../command/session.ts';
import { colours } from '../command/terminal.ts';
import type { Part } from '../command/wrap.ts';
import type { Action } from './actions.ts';
import type { Tally } from './drive.ts';
import { callLines, estimateText, stageLines, triggerLines, untriedText } from './dry-run-words.ts';
import { type Ending, exitCodes } from './ending.ts';
import { findingsText } from './findings.ts';
import { forecastText, problemText } from './forecast-words.ts';
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
    forecast: ending.forecast,
    finalize: ending.finalize,
    cleanup: ending.cleanup,
    schedule: ending.schedule,
    throttle: ending.throttle,
    warnings: ending.warnings,
    progress: withoutGuideNames(frame.plan, ending.progress),
    statistics: withoutGuideNames(frame.plan, ending.statistics),
    performance: withoutGuideNames(frame.plan, ending.performance),
    bloat: ending.bloat,
  };
}

/** The table that people read at the end, line by line. */
export function toTable(frame: Frame, ending: Ending): string[] {
  const paint = colours(process.stdout);
  const rows: Row[] = [];
  const add: Add = (name, value, tone) => {
    if (value) rows.push({ name, value, ...(tone && { paint: tone }) });
  };
  const colour =
    ending.status === 'done' ? paint.green : ending.status === 'failed' ? paint.red : paint.yellow;

  add('Result', ending.message, colour);
  if (ending.error) add('Error', errorText(ending.error));
  if (ending.tally) addWork(add, frame, ending, ending.tally);
  if (frame.action !== 'rollback') add('Checks', findingsText(ending.progress?.findings));
  if (ending.rolledBackUser) addUser(add, ending.rolledBackUser);
  if (ending.dryRun) addDryRun(add, ending.dryRun);
  add('Warnings', ending.warnings?.join(lineBreak));
  if (ending.statistics) addStatistics(add, ending.statistics);
  if (ending.performance) addPerformance(add, ending.performance);
  if (ending.progress) addProgress(add, ending.progress, ending.performance, paint.red);
  add('Dead rows', bloatText(ending.bloat ?? []));
  add('Next', ending.next.join(lineBreak));

  return labelled(rows, paint.bold);
}

type Add = (name: string, value: string | undefined, tone?: Row['paint']) => void;

function errorText({ code, message, hint }: Problem): string {
  return [[code, message].filter(Boolean).join(': '), hint].filter(Boolean).join(lineBreak);
}

function addWork(add: Add, frame: Frame, ending: Ending, tally: Tally): void {
  const ms = ending.durationMs ?? 0;
  // A run that the error budget turned round has done both. Others may have driven it, too: the plan's figures are below.
  const back = tally.rolledBack > 0 || frame.action === 'rollback';
  const forward = tally.migrated > 0 || !back;
  const done = [
    forward && pace('migrated', tally.migrated, ms, ending.progress),
    back && pace('took back', tally.rolledBack, ms, ending.progress),
  ];
  add('This command', done.filter(Boolean).join(lineBreak));
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
function pace(what: string, moved: number, ms: number, words: Words | undefined): string {
  const rate = moved > 0 && ms > 0 ? ` (${whole(moved / (ms / 60_000))} a minute)` : '';
  return `${what} ${words ? countedEntities(moved, words) : whole(moved)} in ${duration(ms)}${rate}`;
}

function addUser(add: Add, user: RollbackUserAnswer): void {
  add('Restored', breakdown(user.restored));
  add('Removed', breakdown(user.removed));
  add('Returned', breakdown(user.returned));
  const conflicts = user.conflicts.map(
    ({ relation, key, reason }) => `${relation ?? ''} ${keyText(key)}: ${reason ?? ''}`,
  );
  add('Conflicts', conflicts.slice(0, 10).join(lineBreak));
}

function keyText(key: unknown): string {
  return typeof key === 'object' && key !== null ? JSON.stringify(key) : String(key ?? '');
}

function addDryRun(add: Add, dry: DryRunAnswer): void {
  if (dry.mode !== 'preflight') {
    add('Tried', stageLines(dry).join(lineBreak));
    add('Not tried', untriedText(dry));
    add('Rows', breakdown(dry.rows));
    add('Cost', cost(dry));
  }
  add('Checks', findingsText(dry.findings));
  add('Estimate', estimateText(dry));
  if (dry.forecast) {
    add('Forecast', [forecastText(dry.forecast), ...dry.forecast.problems.map(problemText)].join(lineBreak));
  }
  add('Failures', listText(dry.failures));
  add('Calls outside', listText(callLines(dry)));
  add('Triggers', listText(triggerLines(dry)));
  add('Side effects', listText(dry.side_effects));
  add('Undeclared', listText(dry.undeclared));
  const problems = (dry.problems ?? []).map(({ severity, object, message, hint }) =>
    [`${severity ?? 'problem'}${object ? ` ${object}` : ''}: ${message ?? ''}`, hint && `  ${hint}`]
      .filter(Boolean)
      .join(lineBreak),
  );
  const notices = (dry.notices ?? []).map(({ object, message }) => `${object ?? ''} ${message ?? ''}`.trim());
  add('Good to know', notices.join(lineBreak));
  add('Problems', problems.join(lineBreak) || (dry.mode === 'preflight' ? 'none' : undefined));
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
  return lines.join(lineBreak);
}

/** What every plan counts; the rest is the plan's own, and is shown as it names it. */
const countedByAll = new Set([
  'plan',
  'entity_singular',
  'entity_plural',
  'total',
  'migrated',
  'pending',
  'outside',
  'cohort',
  'percentage',
  'total_is_estimate',
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

/** A line for each table that wants a vacuum, with the statement; those to which autovacuum comes, in one. */
function bloatText(bloat: readonly Bloated[]): string {
  const alone = bloat.filter(({ statement }) => !statement);
  const rows = alone.reduce((sum, { dead_rows }) => sum + dead_rows, 0);
  const tables = alone.length === 1 ? alone[0]?.relation : `${alone.length} tables`;
  return [
    ...bloat.filter(({ statement }) => statement).map(wantingText),
    ...(alone.length > 0 ? [`${whole(rows)} in ${tables} · autovacuum comes by itself`] : []),
  ].join(lineBreak);
}

function wantingText({
  relation,
  dead_rows,
  dead_percent,
  grown_bytes,
  autovacuum,
  statement,
}: Bloated): string {
  const grown =
    typeof grown_bytes === 'number' && grown_bytes > 0 && `${bytes(grown_bytes)} larger than before`;
  const why = autovacuum === 'off' ? 'autovacuum does not come there' : 'too few for autovacuum';
  return [`${relation} ${whole(dead_rows)} (${dead_percent} %)`, grown, `${why}: ${statement}`]
    .filter(Boolean)
    .join(' · ');
}

/** The figures that people ask for first; --json has all of them. */
function addPerformance(add: Add, performance: PerformanceAnswer): void {
  if (performance.batches === 0) return;
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

function addProgress(
  add: Add,
  progress: ProgressAnswer,
  performance: PerformanceAnswer | undefined,
  alarm: Row['paint'],
): void {
  const texts = (parts: Part[]): string => parts.map(({ text }) => text).join(' · ');
  const { conflicts, direction, failed } = progress;
  const condition = conditionIn(progress);
  const average = performance?.per_minute_average;
  const rates = [
    rateText(progress) && `${rateText(progress)} now`,
    typeof average === 'number' && `${whole(average)} ${progress.entity_plural} a minute on average`,
    restText(progress),
  ];
  add('State', [progress.state, progress.phase].filter(Boolean).join(', '));
  if (condition.kind !== 'fine')
    add(condition.kind === 'waiting' ? 'Waiting' : 'Slowed', shortText(condition), alarm);
  add('Noticed', noticesOf(progress).join(lineBreak));
  add('Limits', limitsText(progress.throttle, progress));
  add('Not counted', progress.count_error ? errorText(progress.count_error) : undefined);
  add(heading(progress), `${migratedText(progress, progress)} (${percentText(progress)})`);
  add('Left', texts(leftParts(progress, direction)), failed + conflicts > 0 ? alarm : undefined);
  add('Outside', outsideText(progress));
  add('Stages', stageParts(progress).map(texts).join(lineBreak));
  add('Rate', rates.filter(Boolean).join(' · '));
}
