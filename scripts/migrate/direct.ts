/** Runs the statements of direct steps over DATABASE_URL: what no function can do, or what does not fit a call. */
import type { Sql } from 'postgres';
import type { Problem } from '../../functions/_shared/answers.ts';
import { CallError } from '../client.ts';
import { backoffMs, pause } from '../command/retry.ts';
import type { Terminal } from '../command/terminal.ts';
import { openDatabase } from '../connection/open.ts';
import type { Context } from './context.ts';
import type { Ending } from './ending.ts';

/** What is locked is tried again so often; the waits grow to ten seconds. */
const tries = 30;

/** A wait for a lock makes the app's next queries queue behind it, so it is short. */
const lockTimeoutMs = 2_000;

/** Nobody queues behind a concurrent statement: it waits for transactions that are older than it, and for those only. */
const concurrentLockTimeoutMs = '5min';

/** SQLSTATEs that a later try may not meet, and the ways in which a connection ends. */
const passing = /^(40...|55P03|57P0.|08...|53300|CONNECTION_.*|ECONN.*)$/;

/** The SQLSTATE of a write where none is taken. */
const readOnly = '25006';

export type Phase = 'prepare' | 'finalize';

/** The direct step that a phase has come to. */
interface DirectStep {
  name: string;
  statement: string;
  /** Left by a concurrent build that was interrupted. */
  invalid_index: string | null;
  /** Somebody is building an index on its table. */
  building: boolean;
}

/**
 * Makes a call. Where it is refused because a direct step comes next, the statement of that step is run over
 * DATABASE_URL, and the call made again: whether the step is done, the database decides. Undefined when interrupted.
 */
export async function pastDirect<Answer>(
  context: Context,
  phase: Phase,
  call: () => Promise<Answer>,
): Promise<Answer | undefined> {
  const { databaseUrl, signal } = context;
  for (let refused = 1; ; refused += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== 'IM042' || databaseUrl === undefined) throw error;
      try {
        return (await runDirect(context, databaseUrl, phase)) ? await call() : undefined;
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

/**
 * Runs the statement outside a transaction, again while it meets locks or a lost connection; waits for whoever else is
 * running it. False when interrupted.
 */
async function runDirect(context: Context, databaseUrl: string, phase: Phase): Promise<boolean> {
  const { terminal, signal } = context;
  let waited = 0;
  for (let failed = 0; !signal.aborted; ) {
    const run: { step?: DirectStep } = {};
    try {
      if (await once(context, databaseUrl, phase, run)) return true;
      waited += 1;
      if (waited === 1) terminal.info('Somebody else is running the statement that comes next; waiting …');
    } catch (error) {
      if (signal.aborted) return false;
      // It says itself what is wrong with the connection, and that stays so.
      if (error instanceof CallError) throw error;
      failed += 1;
      const code = (error as { code?: string }).code ?? 'NETWORK';
      if (!passing.test(code) || failed >= tries) throw explain(run.step, code);
      terminal.warn(`${run.step?.name ?? 'DATABASE_URL'}: ${code}; trying again (${failed} of ${tries}).`);
    }
    await pause(backoffMs(waited + failed), signal);
  }
  return false;
}

/** False while somebody else is at it. */
async function once(
  { options: { plan }, terminal, signal }: Context,
  databaseUrl: string,
  phase: Phase,
  run: { step?: DirectStep },
): Promise<boolean> {
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
      select pg_try_advisory_lock(hashtextextended(${`imago direct ${plan}`}, 0)) as held`;
    if (!lock?.held) return false;
    const [step] = await sql<DirectStep[]>`select * from imago.direct_step(${plan}, ${phase})`;
    // Somebody has done it since.
    if (!step) return true;
    run.step = step;
    if (step.building) return false;
    if (/ concurrently /i.test(step.statement))
      await sql`select set_config('lock_timeout', ${concurrentLockTimeoutMs}, false)`;
    if (step.invalid_index) {
      terminal.warn(
        `${step.invalid_index} is invalid, left by a build that was interrupted: it is dropped and built again.`,
      );
      await execute(`drop index concurrently if exists ${step.invalid_index}`);
    }
    terminal.info(`Running outside a transaction: ${step.statement}`);
    await execute(step.statement);
    return true;
  } finally {
    await sql.end({ timeout: 1 });
  }
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
