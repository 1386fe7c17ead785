/** Runs the statements of direct steps over DATABASE_URL: what no function can do, or what does not fit a call. */
import postgres, { type Sql } from 'postgres';
import { CallError } from '../client.ts';
import { backoffMs, pause } from '../command/retry.ts';
import type { Terminal } from '../command/terminal.ts';

/** What is locked is tried again so often; the waits grow to ten seconds. */
const tries = 30;

/** A wait for a lock makes the app's next queries queue behind it, so it is short. */
const lockTimeoutMs = 2_000;

/** Nobody queues behind a concurrent statement: it waits for transactions that are older than it, and for those only. */
const concurrentLockTimeoutMs = 5 * 60_000;

/** SQLSTATEs that a later try may not meet, and the ways in which a connection ends. */
const passing = /^(40...|55P03|57P0.|08...|53300|CONNECTION_.*|ECONN.*)$/;

export interface Direct {
  databaseUrl: string;
  plan: string;
  step: string;
  statement: string;
  terminal: Terminal;
  signal: AbortSignal;
}

/**
 * Runs the statement outside a transaction, again while it meets locks or a lost connection; `busy` says that somebody
 * else is running it. Whether the step is done, the database decides.
 */
export async function runDirect(direct: Direct): Promise<'ran' | 'busy' | 'interrupted'> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(direct);
    } catch (error) {
      if (direct.signal.aborted) return 'interrupted';
      const code = (error as { code?: string }).code ?? 'NETWORK';
      if (!passing.test(code) || attempt >= tries) throw explain(direct, code);
      const waitMs = backoffMs(attempt);
      direct.terminal.warn(`${direct.step}: ${code}; trying again (${attempt} of ${tries}).`);
      await pause(waitMs, direct.signal);
      if (direct.signal.aborted) return 'interrupted';
    }
  }
}

async function once({ databaseUrl, plan, step, statement, terminal, signal }: Direct) {
  const sql = directly(
    databaseUrl,
    / concurrently /i.test(statement) ? concurrentLockTimeoutMs : lockTimeoutMs,
  );
  try {
    const [lock] = await sql<{ held: boolean }[]>`
      select pg_try_advisory_lock(hashtextextended(${`imago direct ${plan} ${step}`}, 0)) as held`;
    if (!lock?.held || !(await clearInvalidIndex(sql, statement, terminal))) return 'busy';
    const query = sql.unsafe(statement).simple();
    const cancel = () => query.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    await query.finally(() => signal.removeEventListener('abort', cancel));
    return 'ran';
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** A connection of its own, without a statement timeout. */
export function directly(databaseUrl: string, lockTimeout: number): Sql {
  return postgres(databaseUrl, {
    max: 1,
    connect_timeout: 10,
    onnotice: () => {},
    connection: { application_name: 'imago', statement_timeout: 0, lock_timeout: lockTimeout },
  });
}

/**
 * A concurrent build that was interrupted leaves an invalid index, which `if not exists` would take for done: it is
 * dropped, to be built again. False while somebody else is building it.
 */
async function clearInvalidIndex(sql: Sql, statement: string, terminal: Terminal): Promise<boolean> {
  const index = concurrentIndex(statement);
  if (!index) return true;
  const [left] = await sql<{ name: string; building: boolean }[]>`
    select format('%I.%I', n.nspname, c.relname) as name,
      exists (select from pg_stat_progress_create_index p where p.index_relid = c.oid) as building
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = to_regclass(${index.table}) and c.relname = ${index.name} and not i.indisvalid`;
  if (left?.building) return false;
  if (left) {
    terminal.warn(
      `${left.name} is invalid, left by a build that was interrupted: it is dropped and built again.`,
    );
    await sql.unsafe(`drop index concurrently if exists ${left.name}`).simple();
  }
  return true;
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[\w$]+)`;
const creates = new RegExp(
  String.raw`^\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?(${identifier})\s+on\s+(?:only\s+)?(${identifier}(?:\.${identifier})?)`,
  'i',
);

/** The index that a statement builds concurrently: its bare name, and its table as written. */
export function concurrentIndex(statement: string): { name: string; table: string } | undefined {
  const [, name, table] = creates.exec(statement) ?? [];
  if (name === undefined || table === undefined) return undefined;
  return { name: name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase(), table };
}

/** Without the message of the server, whose detail quotes rows. */
function explain({ step, statement }: Direct, code: string): CallError {
  return new CallError({
    code,
    message: `The statement of step "${step}" failed over DATABASE_URL (${code}).`,
    hint: `Run it by hand to see more: ${statement}`,
  });
}
