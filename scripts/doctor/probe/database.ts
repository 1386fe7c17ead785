/** What the database is and allows, seen over a database connection. */
import type { Sql } from 'postgres';
import { codeOf, Failed, plain, Skipped } from './part.ts';

interface Named {
  name: string;
  value: string | null;
}

/** PostgreSQL, the engine, and the extensions. */
export async function tryVersions(sql: Sql, version: string): Promise<string> {
  const [server] = await sql<{ version: string }[]>`select current_setting('server_version_num') as version`;
  const number = Number(server?.version ?? 0);
  const postgres = `PostgreSQL ${Math.floor(number / 10_000)}.${number % 10_000}`;
  const extensions = await sql<Named[]>`
    select extname as name, extversion as value from pg_extension where extname <> 'plpgsql' order by 1`;
  const engine = await engineVersion(sql);
  const list = extensions.map(({ name, value }) => `${plain(name)} ${plain(value)}`);
  return [
    postgres,
    `Imago ${plain(version)}, engine ${engine}`,
    `Node ${plain(process.version)} on ${plain(process.platform)} ${plain(process.arch)}`,
    list.length > 0 ? `extensions ${list.join(', ')}` : 'no extensions',
  ].join('; ');
}

async function engineVersion(sql: Sql): Promise<string> {
  try {
    const [row] = await sql<
      { value: string }[]
    >`select value from imago.setting where name = 'engine_version'`;
    return plain(row?.value);
  } catch (error) {
    return /^(42P01|3F000)$/.test(codeOf(error)) ? 'not installed' : codeOf(error);
  }
}

/** Rights that a plan cannot do without. */
const needed = new Set(['create schemas', 'create in public', 'own the engine']);

/** What the role of the connection may; lacking one of {@link needed} is an error. */
export async function tryRights(sql: Sql): Promise<string> {
  const [may] = await sql<Record<string, boolean>[]>`
    select r.rolsuper as "do everything (superuser)", r.rolcreaterole as "create roles", r.rolbypassrls as "bypass row level security",
      pg_has_role('pg_signal_backend', 'usage') as "end sessions", pg_has_role('pg_monitor', 'usage') as "see statistics",
      has_database_privilege(current_database(), 'create') as "create schemas",
      has_schema_privilege('public', 'create') as "create in public",
      coalesce((select pg_has_role(n.nspowner, 'usage') from pg_namespace n where n.nspname = 'imago'), false) as "own the engine"
    from pg_roles r where r.rolname = current_user`;
  const [role] = await sql<{ name: string }[]>`select current_user as name`;
  const entries = Object.entries(may ?? {});
  const list = (is: boolean) => entries.filter(([, value]) => value === is).map(([name]) => name);
  const missing = list(false).filter((name) => needed.has(name));
  const who = role?.name === 'postgres' ? 'postgres' : 'a role of another name';
  const text = `${who}: may ${list(true).join(', ') || 'nothing'}; may not ${list(false).join(', ') || 'nothing'}`;
  if (missing.length > 0) throw new Failed(text);
  return text;
}

/** Whether the database takes writes. */
export async function tryWrites(sql: Sql): Promise<string> {
  const [state] = await sql<{ replica: boolean; transaction: string; usual: string }[]>`
    select pg_is_in_recovery() as replica, current_setting('transaction_read_only') as transaction,
      current_setting('default_transaction_read_only') as usual`;
  if (state?.replica) throw new Failed('a read replica');
  if (state?.transaction === 'on') {
    throw new Failed(`read-only (default_transaction_read_only is ${plain(state.usual)}): is the disk full?`);
  }
  return 'takes writes';
}

const roles = ['anon', 'authenticated', 'authenticator', 'service_role', 'postgres'];

/** The timeouts of the roles, and whether those of a session end what takes too long. */
export async function tryTimeouts(sql: Sql): Promise<string> {
  const settings = await sql<{ role: string; setting: string }[]>`
    select rolname as role, unnest(rolconfig) as setting from pg_roles where rolname = any(${roles})`;
  const of = (role: string) =>
    settings
      .filter((line) => line.role === role && /^(statement|lock)_timeout=/.test(line.setting))
      .map(({ setting }) => setting.replace('_timeout=', ' '))
      .map((setting) => setting.split(' ').map(plain).join(' '))
      .join(' ') || 'none';
  let ended = 'nothing';
  try {
    await sql.begin(async (tx) => {
      await tx`set local statement_timeout = '100ms'`;
      await tx`select pg_sleep(5)`;
    });
  } catch (error) {
    ended = codeOf(error);
  }
  if (ended !== '57014') throw new Failed(`a statement timeout ends with ${ended}, and not with 57014`);
  return roles.map((role) => `${role} ${of(role)}`).join(', ');
}

export interface CronBench {
  sql: Sql;
  /** Of the job. */
  name: string;
  /** Wait until it has run. */
  wait: boolean;
  signal: AbortSignal;
}

/** A job that is made and taken away; with `wait` it is seen to run. */
export async function tryCron({ sql, name, wait, signal }: CronBench): Promise<string> {
  const [there] = await sql`select from pg_namespace where nspname = 'cron'`;
  if (!there) throw new Skipped('pg_cron is not enabled');
  const [job] = await sql<{ id: string }[]>`select cron.schedule(${name}, '* * * * *', 'select 1') as id`;
  try {
    const [listed] = await sql`select from cron.job where jobname = ${name}`;
    if (!listed) throw new Failed('a job was made, and is not in cron.job');
    if (!wait) return 'a job was made and taken away (--wait sees it run)';
    return await seenRunning(sql, job?.id ?? '0', signal);
  } finally {
    await removeJob(sql, name);
  }
}

async function seenRunning(sql: Sql, id: string, signal: AbortSignal): Promise<string> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < 90_000) {
    signal.throwIfAborted();
    const [run] = await sql<{ status: string }[]>`
      select status from cron.job_run_details where jobid = ${id} and status in ('succeeded', 'failed') limit 1`;
    if (run?.status === 'succeeded') {
      return `a job ran after ${Math.round((performance.now() - startedAt) / 1000)} s, and was taken away`;
    }
    if (run) throw new Failed('a job ran and failed');
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Failed('a job did not run within 90 s');
}

/** Takes the job away where it is there, with what is written of its runs. */
export async function removeJob(sql: Sql, name: string): Promise<void> {
  const [there] = await sql`select from pg_namespace where nspname = 'cron'`;
  if (!there) return;
  const jobs = await sql<{ id: string }[]>`select jobid as id from cron.job where jobname = ${name}`;
  for (const { id } of jobs) {
    await sql`select cron.unschedule(${name})`;
    // Where that is not ours to delete, the line says no more than that a job ran.
    await sql`delete from cron.job_run_details where jobid = ${id}`.catch(() => {});
  }
}
