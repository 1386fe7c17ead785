/** One piece of work on a member: some minutes of batches at most, its checks, or a push; and what that has come to. */
import type { Sql } from 'postgres';
import { z } from 'zod';
import type { BatchAnswer, Finding } from '../../functions/_shared/answers.ts';
import { type Direction, drive, type Totals } from '../../functions/_shared/driving.ts';
import { knownEngine } from '../../functions/_shared/engine.ts';
import { CallError } from '../call-error.ts';
import type { Arguments } from '../client.ts';
import { problemOf } from '../command/problem.ts';
import { isTransient, pause } from '../command/retry.ts';
import type { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { type Connected, pastDirect } from '../migrate/direct.ts';
import { isWrong } from '../migrate/findings.ts';
import { buildIndexes, pastIndexes } from '../migrate/indexes.ts';
import { memberSchema, type ReachedMember, reachMember } from './member.ts';
import type { Figures, Outcome } from './outcome.ts';
import { pushMember } from './push.ts';
import { SecretMissing } from './secrets.ts';

/** What the runs of the members are given; as SQL takes it. */
export const runOptions = z.strictObject({
  max_ms: z.number().optional(),
  batch_size: z.number().optional(),
  backup: z.literal(false).optional(),
  max_failures: z.string().optional(),
  on_failure: z.enum(['stop', 'rollback']).optional(),
  force: z.literal(true).optional(),
});

export type RunOptions = z.output<typeof runOptions>;

/** A member that was taken. */
export const takenSchema = z.object({
  attempt: z.number(),
  task: z.enum(['move', 'check']),
  /** Somebody wants what was set aside there to be tried again. */
  is_retry: z.boolean(),
  kind: z.enum(['migrate', 'rollback', 'push']),
  plan: z.string().nullish(),
  options: z.looseObject({ run: runOptions }),
  member: memberSchema,
  first_run: z.number().nullish(),
  /** By earlier pieces. */
  moved: z.number(),
  worked_ms: z.number(),
});

export type Taken = z.output<typeof takenSchema>;

export interface Piece {
  taken: Taken;
  control: Sql;
  terminal: Terminal;
  /** The worker stops: the running batch is the last. */
  signal: AbortSignal;
  /** Tells how far it is; false: stop, it is somebody else's, or the rollout rests. */
  report: (figures: Figures) => Promise<boolean>;
}

/** So long one piece works; then others may have a turn. */
const pieceSeconds = 240;

/** Does a piece of work. Throws nothing that has to do with the member. */
export async function workPiece(piece: Piece): Promise<Outcome> {
  const { taken, control, terminal } = piece;
  const seen: Pick<Outcome, 'engine' | 'address' | 'is_retried'> = {};
  let member: ReachedMember | undefined;
  const startedAt = performance.now();
  const worked = () => ({ worked_ms: taken.worked_ms + Math.round(performance.now() - startedAt) });
  try {
    member = await reachMember(taken.member, control, (line) =>
      terminal.warn(`${taken.member.name}: ${line}`),
    );
    if (member.address !== undefined) seen.address = member.address;
    const engine = await member.engine();
    if (engine !== undefined) seen.engine = engine;
    const outcome = otherEngine(taken, engine) ?? (await work(piece, member, seen));
    return { ...outcome, ...seen, ...worked() };
  } catch (error) {
    return { ...failure(error), ...seen, ...worked() };
  } finally {
    await member?.close().catch(() => {});
  }
}

/** A member whose engine is another one is named and left alone. */
function otherEngine({ kind }: Taken, engine: number | undefined): Outcome | undefined {
  if (engine !== undefined && engine > knownEngine) {
    return {
      state: 'skipped',
      code: 'ENGINE_NEWER',
      reason: `its engine is version ${engine}, and this worker knows up to ${knownEngine}`,
      hint: 'Upgrade the package imago where the workers run, then: imago fleet retry',
    };
  }
  if (kind === 'push' || engine === knownEngine) return undefined;
  return {
    state: 'skipped',
    code: engine === undefined ? 'ENGINE_MISSING' : 'ENGINE_OLDER',
    reason: engine === undefined ? 'Imago is not installed in it' : `its engine is version ${engine}`,
    hint: 'Bring it to this version: imago fleet push. Then: imago fleet retry',
  };
}

async function work(
  piece: Piece,
  member: ReachedMember,
  seen: Pick<Outcome, 'engine' | 'is_retried'>,
): Promise<Outcome> {
  const { taken } = piece;
  if (taken.kind === 'push') {
    const outcome = await pushMember(member, piece.terminal);
    const engine = outcome.state === 'succeeded' ? await member.engine() : undefined;
    if (engine !== undefined) seen.engine = engine;
    return outcome;
  }
  const plan = taken.plan ?? '';
  if (taken.is_retry) {
    await tryAgain(member, plan);
    seen.is_retried = true;
  }
  return taken.task === 'check' ? await check(piece, member, plan) : await move(piece, member, plan);
}

/** Has what was set aside tried again. Where nothing was, or there is no run yet, there is nothing to try. */
async function tryAgain(member: ReachedMember, plan: string): Promise<void> {
  try {
    await member.call('retry_failed_migrations', { plan });
  } catch (error) {
    if (!(error instanceof CallError) || !/^IM\d{3}$/.test(error.code)) throw error;
  }
}

/** How often it is told how far it is, and how often what is left is counted, which costs the member something. */
export const reportMs = 1_000;
const firstCountMs = 5_000;
const countMs = 20_000;

/** A table whose index does not fit a call cannot be walked in so short a time. */
const longMs = 1_000;

/** Nobody can be moved for so long: others hold the rows, and the place of the worker is for another member. */
const lockedMs = 10_000;

async function move(piece: Piece, member: ReachedMember, plan: string): Promise<Outcome> {
  const { taken, signal, terminal } = piece;
  const direction: Direction = taken.kind === 'rollback' ? 'rollback' : 'forward';
  const connected: Connected = { databaseUrl: member.databaseUrl, signal, terminal, options: { plan } };
  // It says there that somebody builds indexes beside the app, for as long as this connection lasts.
  if (member.sql) await member.sql`select pg_advisory_lock_shared(imago.plan_lock_key(${plan}, 'index'))`;
  const startedAt = performance.now();
  let reportedAt = startedAt;
  let countAt = startedAt + firstCountMs;
  let movedAt = startedAt;
  let moved = 0;
  // By earlier pieces, by workers that were killed before they could say so, and by helpers; as last counted.
  let before = taken.moved;
  let firstRun = taken.first_run ?? undefined;
  let last: Totals | undefined;
  const figures = (): Figures => ({
    ...(firstRun !== undefined && { first_run: firstRun }),
    moved: before + moved,
    worked_ms: taken.worked_ms + Math.round(performance.now() - startedAt),
    ...(moved > 0 && {
      per_minute: Math.round((moved * 60_000) / Math.max(1, performance.now() - startedAt)),
    }),
  });
  const countMoved = async () => {
    if (firstRun !== undefined) before = (await movedThere(member, plan, direction, firstRun)) - moved;
  };
  const driving = drive({
    plan,
    direction,
    maxSeconds: pieceSeconds,
    signal,
    batch: (way, maxMs, run) => batch(piece, connected, member, way, maxMs, run),
  });
  for await (const totals of driving) {
    last = totals;
    if (totals.run !== undefined && totals.run !== null) firstRun ??= Number(totals.run);
    const now = performance.now();
    const sum = direction === 'forward' ? totals.migrated : totals.rolled_back;
    if (sum > moved || totals.status === 'preparing' || totals.status === 'working') movedAt = now;
    moved = sum;
    if (now - movedAt > lockedMs) return { ...figures(), ...locked };
    if (now - reportedAt < reportMs || !totals.has_more) continue;
    reportedAt = now;
    let counted: Figures = {};
    if (now >= countAt) {
      await countMoved();
      counted = await remaining(member, plan, direction);
      countAt = performance.now() + countMs;
    }
    if (!(await piece.report({ ...figures(), ...counted }))) return { state: 'pending', ...figures() };
  }
  if (last === undefined) return { state: 'pending', ...figures() };
  await countMoved();
  const outcome = conclude(last, direction);
  const tookLong = performance.now() - startedAt > longMs;
  if (outcome.state === 'succeeded' && direction === 'forward' && tookLong)
    await buildLeft(member, connected, plan);
  if (outcome.state === 'succeeded') return { ...figures(), ...outcome, remaining: 0 };
  const left = outcome.state === 'pending' ? await remaining(member, plan, direction) : {};
  return { ...figures(), ...left, ...outcome };
}

const locked: Outcome = {
  state: 'waiting',
  code: 'LOCKED',
  reason: 'another transaction holds rows or tables that are needed',
  retry_after_ms: 5_000,
};

/** One batch, past the steps that run over a connection. */
async function batch(
  { taken: { options, plan } }: Piece,
  connected: Connected,
  member: ReachedMember,
  direction: Direction,
  maxMs: number,
  run: number | undefined,
): Promise<BatchAnswer> {
  const { force, max_ms = maxMs, ...forward } = options.run;
  const budget = { plan: plan ?? '', max_ms: Math.min(maxMs, max_ms), ...(run !== undefined && { run }) };
  const answer =
    direction === 'rollback'
      ? await pastIndexes(connected, () =>
          member.call('rollback_batch', { ...budget, ...(force && { force }) }),
        )
      : await pastDirect(connected, 'prepare', () =>
          member.call('migrate_batch', { ...budget, ...(forward as Arguments<'migrate_batch'>) }),
        );
  if (answer) return answer;
  // Stopped while a statement ran that takes long: the next piece goes on with it.
  throw new CallError({ code: '57014', message: 'The worker was stopped while a step was running.' });
}

/** Builds what calls have left to a connection. */
async function buildLeft(member: ReachedMember, connected: Connected, plan: string): Promise<void> {
  if (!member.sql || connected.databaseUrl === undefined) return;
  const left = await member.sql`select from imago.direct_index(${plan})`;
  if (left.length > 0) await buildIndexes(connected, connected.databaseUrl);
}

async function remaining(member: ReachedMember, plan: string, direction: Direction): Promise<Figures> {
  try {
    const answer = await member.call('get_detailed_migration_progress', { plan });
    return { remaining: direction === 'forward' ? answer.remaining : answer.migrated };
  } catch {
    // The batches decide; a count that fails costs only old figures.
    return {};
  }
}

/** What the runs of a member have moved since the first that the rollout has worked on: its own figures, of any worker. */
async function movedThere(
  member: ReachedMember,
  plan: string,
  direction: Direction,
  firstRun: number,
): Promise<number> {
  const { runs } = await member.call('get_run_history', { plan, points: 1 });
  return runs
    .filter((run) => run.direction === direction && Number(run.run) >= firstRun)
    .reduce((sum, run) => sum + run.moved, 0);
}

/** What the last batch of a piece has come to. */
function conclude(totals: Totals, direction: Direction): Outcome {
  const { status, has_more, reason, error, findings, failures_left, conflicts } = totals;
  switch (status) {
    case 'failed':
      return {
        state: 'failed',
        code: error?.code ?? 'FAILED',
        reason: error?.message ?? 'the run was stopped',
        ...(error?.hint && { hint: error.hint }),
      };
    case 'external':
      return {
        state: 'failed',
        code: 'EXTERNAL',
        reason: `stage ${totals.stage ?? 1} is done outside of the database`,
        hint: 'Drive this member with imago migrate in the folder of the project.',
      };
    case 'cancelled':
      return { state: 'failed', code: 'CANCELLED', reason: 'its run was cancelled there' };
    case 'paused':
      return {
        state: 'waiting',
        code: 'PAUSED',
        reason: 'its run is paused there',
        hint: 'Somebody has paused it in this database: resume_migration() goes on.',
        retry_after_ms: 60_000,
      };
    case 'waiting':
      return {
        state: 'waiting',
        code: 'HELD',
        reason: reason ?? 'its governor holds the run',
        retry_after_ms: Math.max(1_000, totals.retry_after_ms ?? 0),
      };
    case 'busy':
    case 'deferred':
      return { ...locked, retry_after_ms: Math.max(1_000, totals.retry_after_ms ?? 0) };
    default:
      break;
  }
  if (has_more) return { state: 'pending' };
  const seeReason =
    "In this database: select entity, sqlstate, detail from migration_log where level in ('warning', 'error')";
  if (direction === 'rollback' && conflicts > 0) {
    return {
      state: 'failed',
      code: 'CONFLICTS',
      reason: `${conflicts} were changed since, and left as they are`,
      hint: `${seeReason}. Restore over later changes: imago fleet rollback --force`,
    };
  }
  if (failures_left > 0) {
    return {
      state: 'failed',
      code: 'SET_ASIDE',
      reason: `${failures_left} were set aside, all others are moved`,
      hint: `${seeReason}. Correct the cause, then: imago fleet retry`,
    };
  }
  return wrong(findings ?? []) ?? { state: 'succeeded' };
}

/** Everything is moved, and the checks find something wrong. */
function wrong(findings: readonly Finding[]): Outcome | undefined {
  const found = findings.filter(isWrong);
  if (found.length === 0) return undefined;
  return {
    state: 'failed',
    code: 'CHECKS',
    reason: `the checks find something wrong: ${found
      .slice(0, 3)
      .map(({ name }) => name)
      .join(', ')}`,
    hint: 'In this database: select validate_migration(detailed => true). Then: imago fleet retry',
  };
}

/** The checks of the plan once more, after the soak of the wave. */
async function check({ signal }: Piece, member: ReachedMember, plan: string): Promise<Outcome> {
  for (;;) {
    const answer = await member.call('validate_migration', { plan });
    if (!answer.has_more) {
      const found = answer.checks
        .filter(({ severity }) => severity === 'error')
        .map(({ name, left }) => ({ name, found: left, held: 0 }));
      return wrong(found) ?? { state: 'succeeded' };
    }
    if (signal.aborted) return { state: 'pending' };
    await pause(answer.retry_after_ms ?? 0, signal);
  }
}

/** Nothing to be taken back: no run of the plan, or none that is not back already. */
const nothingThere: ReadonlySet<string> = new Set(['IM022']);

/** What an error comes to: worth another try, or not. */
function failure(error: unknown): Outcome {
  const { code, message, hint } = problemOf(error);
  const said = { code, reason: message.replace(/\.$/, ''), ...(hint && { hint }) };
  if (error instanceof SecretMissing) {
    return { state: 'waiting', is_failure: true, ...said, code: 'SECRET' };
  }
  if (error instanceof UsageError) return { state: 'failed', ...said, code: 'ADDRESS' };
  if (error instanceof CallError) {
    if (nothingThere.has(code)) return { state: 'succeeded', ...said };
    // What proves that somebody else answers is no matter of time; all else of the network is.
    if (isTransient(error)) return { state: 'waiting', is_failure: true, ...said };
    return { state: 'failed', ...said };
  }
  const { name } = error as Error;
  return { state: 'waiting', is_failure: true, code: name, reason: 'the worker failed over it' };
}
