/** Runs statements over DATABASE_URL that no function can run, or that do not fit a call: those of direct steps, and indexes. */
import type { Sql } from 'postgres';
import type { Problem } from '../../functions/_shared/answers.ts';
import { CallError } from '../call-error.ts';
import { backoffMs, pause } from '../command/retry.ts';
import type { Terminal } from '../command/terminal.ts';
import { openDatabase } from '../connection/open.ts';
import type { Context } from './context.ts';
import type { Ending } from './ending.ts';

/** What is locked is tried again so often; the waits grow to ten seconds. */
const tries = 30;

/** A wait for a lock makes the app's next queries queue behind it, so it is short. */
export const lockTimeoutMs = 2_000;

/** Nobody queues behind a concurrent statement: it waits for transactions that are older than it, and for those only. */
const concurrentLockTimeoutMs = '5min';

/** SQLSTATEs that a later try may not meet, and the ways in which a connection ends. */
const passing = /^(40...|55P03|57P0.|08...|53300|CONNECTION_.*|ECONN.*)$/;

/** The SQLSTATE of a write where none is taken. */
const readOnly = '25006';

export type Phase = 'prepare' | 'finalize';

/** What is needed to run statements over a connection: of a command, or of a worker of a fleet. */
export type Connected = Pick<Context, 'databaseUrl' | 'signal' | 'terminal'> & { options: { plan: string } };

/** What comes next: a direct step, or an index. */
export interface DirectStep {
  name: string;
  statement: string;
  /** Left by a concurrent build that was interrupted. */
  invalid_index: string | null;
  /** Somebody is building an index on its table. */
  building: boolean;
}

/** Statements that are run one after the other, as the database names them. */
export interface Errand {
  /** The next one; undefined when there is none left. */
  next: (sql: Sql) => Promise<DirectStep | undefined>;
  /** Why it has to wait, as the governor says. */
  held?: (sql: Sql) => Promise<Held | undefined>;
  /** When one was run. */
  ran?: (sql: Sql) => Promise<unknown>;
  announce: (statement: string) => string;
}

export interface Held {
  reason: string;
  retry_after_ms: number;
}

/** ran: one statement; none: there is none left; other: somebody else is at it. */
type Turn = 'ran' | 'none' | 'other' | Held;

/**
 * Makes a call. Where it is refused because a direct step comes next, the statement of that step is run over
 * DATABASE_URL, and the call made again: whether the step is done, the database decides. Undefined when interrupted.
 */
export async function pastDirect<Answer>(
  context: Connected,
  phase: Phase,
  call: () => Promise<Answer>,
): Promise<Answer | undefined> {
  const { databaseUrl, signal } = context;
  for (let refused = 1; ; refused += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== 'IM042' || databaseUrl === undefined) throw error;
      if (refused > tries) throw error;
      try {
        if (!(await runNext(context, databaseUrl, stepOf(context, phase)))) return undefined;
        // Where somebody else has done this one, the next may have to be run like it.
        continue;
      } catch (failed) {
        // While the database takes no writes, the call itself says so, and is waited for.
        if (!(failed instanceof CallError) || failed.code !== readOnly || refused >= tries) throw failed;
      }
    }
    await pause(backoffMs(refused), signal);
    if (signal.aborted) return undefined;
  }
}

/** How the command ends where a direct step comes next and DATABASE_URL is not set. */
export function notConnected(error: Problem, again: string): Ending {
  return {
    status: 'left',
    message: 'A step has to run over a database connection, and DATABASE_URL is not set.',
    error,
    next: [
      'Set DATABASE_URL to the direct connection or the session pooler (port 5432), or run the statement by hand.',
      `Then go on: ${again}`,
    ],
  };
}

/** The direct step that a phase has come to. */
function stepOf({ options: { plan } }: Connected, phase: Phase): Errand {
  return {
    next: async (sql) => (await sql<DirectStep[]>`select * from imago.direct_step(${plan}, ${phase})`)[0],
    announce: (statement) => `Running outside a transaction: ${statement}`,
  };
}

/**
 * Runs the next statement outside a transaction, again while it meets locks or a lost connection; waits for another driver
 * that is running it, and while the governor holds the plan. Undefined when interrupted.
 */
export async function runNext(
  context: Connected,
  databaseUrl: string,
  errand: Errand,
): Promise<'ran' | 'none' | undefined> {
  const { terminal, signal } = context;
  let waited = 0;
  let said: string | undefined;
  for (let failed = 0; !signal.aborted; ) {
    const run: { step?: DirectStep } = {};
    let pauseMs: number | undefined;
    try {
      const turn = await once(context, databaseUrl, errand, run);
      if (turn === 'ran' || turn === 'none') return turn;
      const reason =
        turn === 'other'
          ? 'Somebody else is running the statement that comes next'
          : `Waiting: ${turn.reason}`;
      if (said === undefined) terminal.info(`${reason}; waiting …`);
      said = reason;
      waited += 1;
      if (turn !== 'other') pauseMs = turn.retry_after_ms;
    } catch (error) {
      if (signal.aborted) return undefined;
      // It says itself what is wrong with the connection, and that stays so.
      if (error instanceof CallError) throw error;
      failed += 1;
      const code = (error as { code?: string }).code ?? 'NETWORK';
      if (!passing.test(code) || failed >= tries) throw explain(run.step, code);
      terminal.warn(`${run.step?.name ?? 'DATABASE_URL'}: ${code}; trying again (${failed} of ${tries}).`);
    }
    await pause(pauseMs ?? backoffMs(waited + failed), signal);
  }
  return undefined;
}

async function once(
  context: Connected,
  databaseUrl: string,
  errand: Errand,
  run: { step?: DirectStep },
): Promise<Turn> {
  const { options, terminal, signal } = context;
  const sql = directly(databaseUrl, lockTimeoutMs, terminal);
  const execute = async (statement: string) => {
    signal.throwIfAborted();
    const query = sql.unsafe(statement).simple();
    const cancel = () => query.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    await query.finally(() => signal.removeEventListener('abort', cancel));
  };
  try {
    const [lock] = await sql<{ held: boolean }[]>`
      select pg_try_advisory_lock(hashtextextended(${`imago direct ${options.plan}`}, 0)) as held`;
    if (!lock?.held) return 'other';
    const step = await errand.next(sql);
    // Somebody has done it since.
    if (!step) return 'none';
    run.step = step;
    if (step.building) return 'other';
    const held = await errand.held?.(sql);
    if (held) return held;
    if (/ concurrently /i.test(step.statement))
      await sql`select set_config('lock_timeout', ${concurrentLockTimeoutMs}, false)`;
    if (step.invalid_index) {
      terminal.warn(
        `${step.invalid_index} is invalid, left by a build that was interrupted: it is dropped and built again.`,
      );
      await execute(`drop index concurrently if exists ${step.invalid_index}`);
    }
    terminal.info(errand.announce(step.statement));
    const told = tellOfBuild(context, databaseUrl);
    try {
      await execute(step.statement);
    } finally {
      await told();
    }
    await errand.ran?.(sql);
    return 'ran';
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** So often a build that takes long says how far it is. */
const tellEveryMs = 10_000;

/** Says every now and then how far the indexes are that are being built. Gives what ends that. */
function tellOfBuild({ terminal, signal }: Connected, databaseUrl: string): () => Promise<void> {
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  const tell = async () => {
    let sql: Sql | undefined;
    try {
      for (;;) {
        await pause(tellEveryMs, stop);
        if (stop.aborted) return;
        sql ??= directly(databaseUrl, lockTimeoutMs, terminal);
        const rows = await sql<{ line: string }[]>`
          select concat_ws(', ', relid::regclass::text || ': ' || phase,
            (100 * case when blocks_total > 0 then blocks_done / blocks_total::numeric
              when lockers_total > 0 then lockers_done / lockers_total::numeric end)::integer || ' %') as line
          from pg_stat_progress_create_index where datname = current_database()`;
        for (const { line } of rows) terminal.info(`  ${line}`);
      }
    } catch (error) {
      // Only how far it is stays unsaid.
      terminal.debug(`The progress of the build could not be read (${(error as { code?: string }).code}).`);
    } finally {
      await sql?.end({ timeout: 1 });
    }
  };
  const telling = tell();
  return async () => {
    ended.abort();
    await telling;
  };
}

/** A connection of its own, without a statement timeout. */
export function directly(databaseUrl: string, lockTimeout: number, terminal: Terminal): Sql {
  return openDatabase(databaseUrl, {
    settings: { statement_timeout: 0, lock_timeout: lockTimeout },
    warn: (line) => terminal.warn(line),
  });
}

/** Without the message of the server, whose detail quotes rows. */
function explain(step: DirectStep | undefined, code: string): CallError {
  if (!step) {
    return new CallError({
      code,
      message: `The database of DATABASE_URL could not be asked for the step that comes next (${code}).`,
      hint: 'Check host, port and password, and that it is the database of this project, as the role postgres.',
    });
  }
  return new CallError({
    code,
    message: `The statement of step "${step.name}" failed over DATABASE_URL (${code}).`,
    hint: `Run it by hand to see more: ${step.statement}`,
  });
}
