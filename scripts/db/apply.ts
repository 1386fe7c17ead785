/** Applies a version to the target, or takes it back: in one transaction, with short waits for locks and several tries. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql, TransactionSql } from 'postgres';
import { CallError } from '../call-error.ts';
import { CONNECTION_LOST } from '../embedded/reserving.ts';
import { findIndex, type IndexThere, runAlone } from './alone.ts';
import type { MovedAside } from './aside.ts';
import { Return, type Returned } from './back.ts';
import type { Context } from './context.ts';
import {
  addToHistory,
  compareHistory,
  ensureHistory,
  isInHistory,
  lockedHistory,
  lockHistory,
  readHistory,
  removeFromHistory,
} from './history.ts';
import { inDatabase } from './own-database.ts';
import { Problem } from './problem.ts';
import { readProject, type SqlFile, type Version } from './project.ts';
import { explain, readScript, type Script } from './running.ts';
import { unreachable } from './session.ts';
import { Shadow } from './shadow.ts';
import type { Effect } from './structure.ts';
import { ownIn } from './target.ts';
import { walkBack, walkForward } from './walking.ts';

/** What came back of a version, and the materialized views that were computed again for it. */
export type Back = Pick<Returned, 'putBack' | 'refreshed'>;

/** Where the history's table is there, for this command. */
const ensured = new WeakSet<Context>();

/** Applies one version and puts back what an earlier downgrade has kept of it. */
export async function applyVersion(context: Context, version: Version): Promise<Back> {
  const script = scriptIn(context, version);
  if (!script.inTransaction) {
    await outsideTransaction(context, version, script, { back: false });
    return { putBack: [], refreshed: [] };
  }
  const returned = await inTransaction(context, version.file, async (tx) => {
    if (!ensured.has(context)) await ensureHistory(tx);
    expectStill(version, await lockedHistory(tx, version), false);
    const finished = await walkForward(tx, version.version, script, context.options);
    await addToHistory(tx, version);
    return finished;
  });
  ensured.add(context);
  return returned.isPostponed ? await putBackPostponed(context, version.version) : returned;
}

/** Puts back, of a version that is applied, what had to wait for its commit. */
export async function putBackPostponed(context: Context, version: string): Promise<Back> {
  try {
    return await inTransaction(context, `version ${version}`, async (tx) => {
      await lockHistory(tx);
      return await Return.resume(tx, version, context.options);
    });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new Problem(
      error.code,
      `Version ${version} is applied, but some of what was kept of it could not be put back. ${error.message}`,
      'It is still in imago_attic. Run upgrade again: it goes on there.',
      { cause: error },
    );
  }
}

/** Takes one version back, having moved aside what goes with it. */
export async function takeBack(
  context: Context,
  version: Version,
  effects: readonly Effect[],
): Promise<MovedAside[]> {
  if (!version.wayBack) throw new Error(`${version.file} has no way back`);
  const script = scriptIn(context, version.wayBack);
  if (!script.inTransaction) {
    await outsideTransaction(context, version, script, { back: true });
    return [];
  }
  return await inTransaction(context, script.file, async (tx) => {
    expectStill(version, await lockedHistory(tx, version), true);
    await Return.resume(tx, version.version);
    const scripts = { forward: scriptIn(context, version), back: script };
    const allowLoss = context.options.allowDataLoss;
    const moved = await walkBack(tx, version.version, scripts, effects, { allowLoss });
    await removeFromHistory(tx, version.version);
    return moved;
  });
}

/** A file as it runs on the target; refused where it names another database of that server. */
export function scriptIn({ target }: Context, file: SqlFile): Script {
  return inDatabase(readScript(file), ownIn(target));
}

/** Such a statement cannot be in a transaction with the history: what an interrupted one has done is recognised. */
async function outsideTransaction(
  context: Context,
  version: Version,
  script: Script,
  { back }: { back: boolean },
): Promise<void> {
  const isSame = async (sql: Sql, index: readonly string[], { definition }: IndexThere) =>
    definition === (await definitionOf(context, sql, version, index, back));
  const work = async (sql: Sql) => {
    await ensureHistory(sql);
    expectStill(version, await isInHistory(sql, version.version), back);
    const done = await runAlone(sql, script, context.options.lockTimeout, (...args) => isSame(sql, ...args));
    if (done) context.terminal.info(`${done} The history is told.`);
    if (back) await removeFromHistory(sql, version.version);
    else await addToHistory(sql, version);
  };
  await retrying(context, script.file, async () => {
    await onSession(context, work).catch((error) => Promise.reject(outside(problemOf(error, script.file))));
  });
}

/** An index as the versions make it. */
async function definitionOf(
  context: Context,
  sql: Sql,
  version: Version,
  index: readonly string[],
  back: boolean,
): Promise<string | undefined> {
  const project = await readProject(context.folder);
  const { applied } = compareHistory(project, await readHistory(sql));
  const others = applied.filter((other) => other.version !== version.version);
  const shadow = await Shadow.create(await context.shadows());
  try {
    await shadow.apply(back ? others : [...others, version]);
    return (await findIndex(shadow.sql, index))?.definition;
  } finally {
    await shadow.drop();
  }
}

/** The same problem, with what is true where there was no transaction. */
function outside(problem: Problem): Problem {
  if (!(problem instanceof Problem)) return problem;
  const hint = problem.hint?.replace(
    /^The (version was taken back whole|database has this version or it has it not)[^.]*\./,
    'It runs outside of a transaction: db status tells how far it came, and whatever it has left is cleared or taken when it is run again.',
  );
  return new Problem(problem.code, problem.message, hint, { cause: problem.cause });
}

/** Somebody else may have been faster: the history is read again under its lock. */
function expectStill({ version }: Version, isThere: boolean, applied: boolean): void {
  if (isThere === applied) return;
  throw new Problem(
    'changed-meanwhile',
    `Somebody else has ${applied ? 'taken back' : 'applied'} version ${version} meanwhile.`,
    'Look at db status, and run this again.',
  );
}

async function inTransaction<T>(
  context: Context,
  file: string,
  work: (tx: TransactionSql) => Promise<T>,
): Promise<T> {
  return await retrying(context, file, () =>
    onSession(context, async (sql) => {
      // Not begin() of the driver: it would roll back on a connection that has ended, which ends the process.
      const tx = sql as unknown as TransactionSql;
      await tx.unsafe(`begin; set local lock_timeout = ${context.options.lockTimeout}`);
      try {
        const result = await work(tx);
        await tx.unsafe('commit');
        return result;
      } catch (error) {
        if (!isLost(error)) await tx.unsafe('rollback');
        throw error;
      }
    }),
  );
}

/** Tries again where locks were not granted. */
async function retrying<T>(context: Context, file: string, work: () => Promise<T>): Promise<T> {
  const { attempts } = context.options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const problem = problemOf(error, file);
      if (problem.code !== 'locked' || attempt >= attempts || context.signal.aborted) throw problem;
      context.terminal.info(`Locks were not granted, try ${attempt} of ${attempts}; again in a moment.`);
      // Others get their turn in between, and two of us do not meet again.
      await delay((0.5 + Math.random()) * Math.min(context.options.lockTimeout, 100 * 2 ** attempt));
    }
  }
}

/** Whether the connection has ended, as far as an error tells. */
function isLost(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return code === 'connection-lost' || code.startsWith('57P') || CONNECTION_LOST.test(code);
}

/** Errors outside of a statement of the file: connecting, locking the history, the attic, the commit. */
function problemOf(error: unknown, file: string): Problem {
  const code = (error as { code?: string }).code ?? '';
  if (error instanceof CallError) return unreachable(error);
  if (error instanceof Problem || !(/^[0-9A-Z]{5}$/.test(code) || CONNECTION_LOST.test(code)))
    return error as Problem;
  return explain(error, file);
}

/** One session for all files: to connect takes longer than most of them. Nothing that one leaves is there for the next. */
async function onSession<T>({ connect }: Context, work: (sql: Sql) => Promise<T>): Promise<T> {
  const session = await (await connect()).sql.reserve();
  const clear = async () => {
    await session.unsafe(asNew);
    // Who ends the connection waits for what is reserved.
    session.release();
  };
  try {
    const result = await work(session);
    await clear();
    return result;
  } catch (error) {
    if (!isLost(error)) await clear();
    throw error;
  }
}

/** As `discard all` does it, but for the statements that the driver has prepared. */
const asNew = `
  close all; reset session authorization; reset all; unlisten *; discard temp; discard sequences; discard plans;
  select pg_catalog.pg_advisory_unlock_all();
  do $$
  declare
    statement text;
  begin
    for statement in select p.name from pg_catalog.pg_prepared_statements p where p.from_sql loop
      execute pg_catalog.format('deallocate %I', statement);
    end loop;
  end
  $$`;
