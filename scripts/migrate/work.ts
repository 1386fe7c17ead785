/** The actions that move entities: forward and back, by batches. */
import { availableParallelism } from 'node:os';
import { type ProgressAnswer, progressAnswer } from '../../functions/_shared/answers.ts';
import { counted, countedEntities } from '../command/figures.ts';
import { limitsText } from '../command/health.ts';
import { problemOf } from '../command/problem.ts';
import { about, cohortText } from '../command/progress-words.ts';
import type { Context } from './context.ts';
import { nextCommand } from './context.ts';
import { notConnected, pastDirect } from './direct.ts';
import { type Driven, drive, newTally, type Tally } from './drive.ts';
import type { Ending } from './ending.ts';
import { ExternalDriver, type Externals, externalFile, loadExternals } from './external.ts';
import { isWrong, seeFindings, wrongAtEnd } from './findings.ts';
import { Follower } from './follow.ts';
import { forecastBefore, refusal } from './forecast.ts';
import { buildIndexes, offerConnection, pastIndexes } from './indexes.ts';
import { resumeFlags } from './resuming.ts';
import { spelled } from './spelling.ts';
import { throttleCommand } from './throttle.ts';

export type Direction = 'forward' | 'rollback';

/** Two batches at once use a server's pauses; more help only where it has the processors. `--workers` says otherwise. */
export function workersFor(context: Context): number {
  return context.options.workers ?? Math.min(2, availableParallelism());
}

/** Drives batches in one direction until done, and back again where SQL decides so. */
export async function work(context: Context, direction: Direction): Promise<Ending> {
  const { options, terminal } = context;
  const workers = workersFor(context);
  const externals = direction === 'forward' ? await loadExternals(context) : new Map();
  const before = await firstLook(context);
  const forecast = direction === 'forward' ? await forecastBefore(context, before, workers) : undefined;
  const refused = forecast && refusal(context, forecast);
  if (refused) return refused;
  terminal.info(
    `Working with ${counted(workers, 'worker')}${options.workers === undefined ? ' (--workers changes that)' : ''}; Ctrl-C stops after the running batches.`,
  );

  const limits = limitsText(before.throttle, before);
  // They may have been set by somebody else, long ago.
  if (limits !== undefined) terminal.info(`Limits: ${limits} (${throttleCommand(context)} changes that).`);

  const startedAt = performance.now();
  const takeBack = offerConnection(context);
  try {
    const ending = await workOffered(context, direction, workers, externals, before, startedAt);
    return { ...ending, ...(forecast && { forecast }) };
  } finally {
    await takeBack();
  }
}

async function workOffered(
  context: Context,
  direction: Direction,
  workers: number,
  externals: Externals,
  before: ProgressAnswer,
  startedAt: number,
): Promise<Ending> {
  const { caller, options, terminal, signal } = context;
  const plan = options.plan;
  let driven = await driveShown(context, direction, workers, before, externals);
  let tally = driven.tally;
  let turned: Driven | undefined;
  if (driven.outcome === 'stopped' && driven.thenRollback) {
    turned = driven;
    const { code, message } = driven.problem;
    terminal.warn(
      `The run was stopped (${[code, message].filter(Boolean).join(': ')}) and is being taken back.`,
    );
    const middle = await caller.call('get_detailed_migration_progress', { plan }, signal);
    driven = await driveShown(context, 'rollback', workers, middle);
    tally = sum(tally, driven.tally);
  }
  const durationMs = performance.now() - startedAt;

  const ending = conclude(context, turned ? 'rollback' : direction, driven);
  const isIndexed =
    ending.status !== 'done' || direction === 'rollback' || !!turned || (await indexed(context));
  const after = await lastLook(context);
  const full: Ending = { ...ending, tally, durationMs, workers, ...after };
  if (turned) return afterTurning(full, turned);
  if (!isIndexed) return { ...full, ...unindexed(context, after.progress) };
  return after.progress && full.status === 'done' ? weigh(context, direction, full, after.progress) : full;
}

/** Builds the indexes that the run has left to this command. What cannot be built is told at the end. False when interrupted. */
async function indexed(context: Context): Promise<boolean> {
  const { databaseUrl, terminal } = context;
  if (databaseUrl === undefined) return true;
  try {
    return await buildIndexes(context, databaseUrl);
  } catch (error) {
    const { message, hint } = problemOf(error);
    terminal.warn([message, hint].filter(Boolean).join(' '));
    return true;
  }
}

/** All is moved, and Ctrl-C came while an index was being built. */
function unindexed(
  context: Context,
  progress: ProgressAnswer | undefined,
): Pick<Ending, 'status' | 'message' | 'next'> {
  return {
    status: 'interrupted',
    message: 'All done. Stopped while an index was being built that a rollback needs.',
    next: [
      `Build it: ${spelled(context.program, resumeFlags(context.options))}`,
      ...(progress?.unindexed ?? []).map(({ statement }) => `Or by hand: ${statement}`),
    ],
  };
}

/** SQLSTATEs, and PostgREST's code, of an app that lacks a table. */
const missingTable = new Set(['IM006', '42P01', 'PGRST205']);

/** Where the run stands. Where there is nothing to count, the first batch says more precisely what the plan misses. */
async function firstLook({ caller, options, signal }: Context): Promise<ProgressAnswer> {
  try {
    return await caller.call('get_detailed_migration_progress', { plan: options.plan }, signal);
  } catch (error) {
    if (!missingTable.has(problemOf(error).code)) throw error;
    const none = { total: 0, migrated: 0, pending: 0, remaining: 0 };
    return progressAnswer.parse({ plan: options.plan, state: 'none', ...none });
  }
}

async function driveShown(
  context: Context,
  direction: Direction,
  workers: number,
  before: ProgressAnswer,
  externals: Externals = new Map(),
): Promise<Driven> {
  const follower = new Follower(context, before, workers);
  try {
    return await drive({
      direction,
      batch: batchCall(context, direction, new ExternalDriver(context, externals, workers)),
      workers,
      signal: context.signal,
      onAnswer: (answer) => follower.answered(answer),
    });
  } finally {
    await follower.stop();
  }
}

/**
 * One batch, past the direct steps that stand before it and the stages that are done outside. Only what was typed is passed: what holds for a run is fixed when it is created, and SQL refuses a call
 * that contradicts it.
 */
function batchCall(context: Context, direction: Direction, external: ExternalDriver) {
  const { caller, options } = context;
  const { plan, maxMs, batchSize, maxFailures, onFailure, cohort } = options;
  const budget = { plan, ...(maxMs !== undefined && { max_ms: maxMs }) };
  if (direction === 'rollback') {
    const args = { ...budget, ...(options.force && { force: true }) };
    return (signal: AbortSignal, run: number | undefined) =>
      pastIndexes(context, () =>
        caller.call('rollback_batch', { ...args, ...(run !== undefined && { run }) }, signal),
      );
  }
  const args = {
    ...budget,
    ...(batchSize !== undefined && { batch_size: batchSize }),
    ...(!options.backup && { backup: false }),
    ...(maxFailures !== undefined && { max_failures: maxFailures }),
    ...(onFailure !== undefined && { on_failure: onFailure }),
    ...(cohort && { cohort }),
  };
  return async (signal: AbortSignal, run: number | undefined) => {
    const answer = await pastDirect(context, 'prepare', () =>
      caller.call('migrate_batch', { ...args, ...(run !== undefined && { run }) }, signal),
    );
    return answer && (await external.past(answer));
  };
}

function conclude(context: Context, direction: Direction, driven: Driven): Ending {
  const again = spelled(context.program, resumeFlags(context.options));
  const what = direction === 'forward' ? 'migration' : 'rollback';
  switch (driven.outcome) {
    case 'done':
      return { status: 'done', message: direction === 'forward' ? 'All done.' : 'All taken back.', next: [] };
    case 'paused':
      return {
        status: 'left',
        message: `The ${what} is paused.`,
        next: [`Go on: ${nextCommand(context, '--resume')}`],
      };
    case 'cancelled':
      return { status: 'left', message: `The ${what} was cancelled.`, next: [`Start again: ${again}`] };
    case 'interrupted':
      return {
        status: 'interrupted',
        message: 'Stopped. The running batches have ended; nothing is lost.',
        next: [`Go on: ${again}`],
      };
    case 'external':
      return {
        status: 'left',
        message: `Stage ${driven.stage} is done outside of the database, and its function was not found.`,
        next: [
          `It is supabase/imago/plans/${context.options.plan}/${externalFile(driven.stage)}, looked for from this folder upward.`,
          `In the folder of the project, go on: ${again}`,
        ],
      };
    case 'stalled':
      return {
        status: 'left',
        message:
          'Nothing could be moved for minutes: another transaction holds rows or tables that are needed.',
        next: ['End that transaction (pg_stat_activity shows it).', `Then go on: ${again}`],
      };
    case 'stopped':
      return {
        status: 'failed',
        message: `The ${what} was stopped.`,
        error: driven.problem,
        next: [
          `Fix the cause, then: ${nextCommand(context, '--retry-failed')}`,
          ...(direction === 'forward' ? [`Or take it back: ${nextCommand(context, '--rollback')}`] : []),
        ],
      };
    case 'error':
      if (problemOf(driven.error).code === 'IM042') return notConnected(problemOf(driven.error), again);
      if (problemOf(driven.error).code === 'IM017') {
        return {
          status: 'failed',
          message: 'It is being rolled back. Nothing was changed.',
          error: problemOf(driven.error),
          next: [
            `Let the rollback finish: ${nextCommand(context, '--rollback')}`,
            `Or end it where it is: ${nextCommand(context, '--cancel')}`,
          ],
        };
      }
      // The same command would be refused again.
      if (problemOf(driven.error).code === 'IM085') {
        const { cohort: _, ...asItIs } = context.options;
        return {
          status: 'failed',
          message: 'Nothing was changed.',
          error: problemOf(driven.error),
          next: [
            `Go on with what it takes: ${spelled(context.program, resumeFlags(asItIs))}`,
            `Or take it back first: ${nextCommand(context, '--rollback')}`,
          ],
        };
      }
      if (problemOf(driven.error).code === 'IM039') {
        return {
          status: 'failed',
          message: 'Nothing was changed.',
          error: problemOf(driven.error),
          next: [],
        };
      }
      return {
        status: 'failed',
        message: `The ${what} could not go on. What was committed stays; nothing is lost.`,
        error: problemOf(driven.error),
        next: [`Once that is fixed, go on: ${again}`],
      };
  }
}

/** A run that exceeded its error budget has failed, even where it was taken back completely. */
function afterTurning(ending: Ending, stopped: Driven): Ending {
  const complete = ending.status === 'done';
  return {
    ...ending,
    status: ending.status === 'interrupted' ? 'interrupted' : 'failed',
    message: complete
      ? 'The run was stopped by its error budget and has been taken back.'
      : `The run was stopped by its error budget; taking it back is not finished. ${ending.message}`,
    ...(stopped.outcome === 'stopped' && !ending.error && { error: stopped.problem }),
  };
}

/** "Done" says that nothing more can be moved now; whether something was set aside decides on the exit code. */
function weigh(context: Context, direction: Direction, ending: Ending, progress: ProgressAnswer): Ending {
  if (direction === 'rollback') {
    if (progress.conflicts === 0 && ending.tally?.conflicts === 0) {
      return { ...ending, next: [`Forward again: ${nextCommand(context)}`] };
    }
    const kept = countedEntities(Math.max(progress.conflicts, ending.tally?.conflicts ?? 0), progress);
    return {
      ...ending,
      status: 'left',
      message: `All taken back except ${kept} with conflicts, which keep what was changed since.`,
      next: [
        "See them: select entity, detail from migration_log where event = 'conflict'",
        `Restore over later changes: ${nextCommand(context, '--rollback', '--force')}`,
      ],
    };
  }
  if (progress.phase === 'finalized' || progress.phase === 'cleaned up') {
    return { ...ending, message: 'The plan is finalized: there is nothing to migrate any more.', next: [] };
  }
  if (progress.failed > 0) return { ...ending, ...setAside(context, progress) };
  const left = progress.total_is_estimate ? 0 : progress.remaining;
  if (left > 0) {
    return {
      ...ending,
      status: 'left',
      message: `All done, and ${countedEntities(left, progress)} came in meanwhile.`,
      next: [`Go on: ${spelled(context.program, resumeFlags(context.options))}`],
    };
  }
  const wrong = wrongAtEnd(context, progress);
  if (wrong) return { ...ending, ...wrong };
  const others = othersLeft(context, progress);
  if (others) return { ...ending, ...others };
  // What is held was taken back alone on purpose: nothing is left to do about it.
  const missing = (progress.unindexed ?? []).map(
    ({ statement }) => `Rollback needs an index that could not be built: ${statement}`,
  );
  return { ...ending, next: [...missing, `Take it back at any time: ${nextCommand(context, '--rollback')}`] };
}

/** The cohort is done, and others are pending. */
export function othersLeft(
  context: Context,
  progress: ProgressAnswer,
): Pick<Ending, 'status' | 'message' | 'next'> | undefined {
  if (!progress.cohort || progress.outside === 0) return undefined;
  const { outside, cohort } = progress;
  return {
    status: 'done',
    message: `The cohort is done (${cohortText(cohort)}); ${about(progress)}${countedEntities(outside, progress)} outside of it ${outside === 1 ? 'is' : 'are'} pending.`,
    next: [
      `Take all of them: ${nextCommand(context, '--percent', '100')}`,
      `Or take it back: ${nextCommand(context, '--rollback')}`,
    ],
  };
}

/** Some are set aside; everything else is done. */
export function setAside(
  context: Context,
  progress: ProgressAnswer,
): Pick<Ending, 'status' | 'message' | 'next'> {
  return {
    status: 'left',
    message: `All done except ${countedEntities(progress.failed, progress)} set aside.`,
    next: [
      "See why: select entity, sqlstate, detail from migration_log where level in ('warning', 'error')",
      `Fix the cause, then: ${nextCommand(context, '--retry-failed')}`,
      ...(progress.findings?.some(isWrong) ? [seeFindings(context)] : []),
    ],
  };
}

/** The figures after the work. They are worth a few tries, but not worth hiding the result. */
async function lastLook({
  caller,
  options,
  terminal,
}: Context): Promise<Pick<Ending, 'progress' | 'statistics' | 'bloat'>> {
  try {
    const { progress, statistics, bloat } = await caller.call('get_migration_report', { plan: options.plan });
    return { progress, ...(statistics && { statistics }), ...(bloat?.length && { bloat }) };
  } catch (error) {
    const { code, message } = problemOf(error);
    // Where a table is missing there is nothing to count, and the result says so.
    if (!missingTable.has(code)) terminal.warn(`The figures at the end could not be read (${message})`);
    return {};
  }
}

function sum(one: Tally, other: Tally): Tally {
  const both = newTally();
  for (const tally of [one, other]) {
    const { rows, ...counts } = tally;
    for (const [name, value] of Object.entries(counts)) both[name as Exclude<keyof Tally, 'rows'>] += value;
    for (const [relation, value] of Object.entries(rows))
      both.rows[relation] = (both.rows[relation] ?? 0) + value;
  }
  both.conflicts = other.conflicts;
  return both;
}
