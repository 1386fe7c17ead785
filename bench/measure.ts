/** Runs one method on a database of its own, measures it and checks what it did. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Sql } from 'postgres';
import { connect as connectApi } from '../scripts/client.ts';
import { connect } from '../scripts/embedded/cluster.ts';
import { type Method, type MethodKey, methodOf } from './methods.ts';
import { copyTemplate, dropDatabase, type Server, type Sums, sumsOf, type Template } from './server.ts';
import { type Done, doneSchema, type Order } from './work.ts';

/** What one run of one method took. */
export interface Measurement {
  method: MethodKey;
  /** Users of the database; a method with `most` moves fewer of them. */
  users: number;
  moved: number;
  seconds: number;
  usersPerSecond: number;
  /** Of the whole server, from a checkpoint before the method to its end. */
  walBytesPerUser: number;
  /** Peak memory of the process that drives the method. */
  clientBytes: number;
  /** Peak private memory of the server's processes for this database, all together; unknown outside Linux. */
  serverBytes: number | undefined;
  /** Processor time of these processes: less disturbed by what else the machine does than the seconds are. */
  serverCpuSeconds: number | undefined;
  /** Median time of rolling back one user alone afterwards, on the server. */
  oneBackMs?: number;
  /** What is not as it should be afterwards; empty when all is right. */
  wrong: Record<string, unknown>;
}

/** How often the server's processes are looked at: memory grows over seconds, and looking must cost nothing. */
const sampleMs = 100;

/** How many users are rolled back alone: enough for a median that the first call's planning does not move. */
const onesBack = 25;

const project = fileURLToPath(new URL('..', import.meta.url));

/** Measures a method on a fresh copy of a template; with `thenBack` the rollback on the same copy as well. */
export async function measure(
  server: Server,
  template: Template,
  key: MethodKey,
  thenBack = false,
): Promise<Measurement[]> {
  const method = methodOf(key);
  const database = await copyTemplate(server, template, method.isImago, method.indexedFirst);
  try {
    const forward = await measureOn(server, template, method, database);
    const results = [forward];
    if (thenBack) {
      // As forward: no dead rows, fresh statistics. Autovacuum does the same within minutes.
      const sql = connect(server.cluster, 'supabase_admin', database);
      await sql.unsafe('vacuum analyze').finally(() => sql.end());
      results.push(await measureOn(server, template, methodOf('r'), database));
    } else if (key === 'b') {
      forward.oneBackMs = await timeOneBack(server, database, template.users);
    }
    return results;
  } finally {
    await dropDatabase(server, database);
  }
}

/** Takes some users back, one by one, from all over the key space. */
async function timeOneBack(server: Server, database: string, users: number): Promise<number> {
  const sql = connect(server.cluster, 'postgres', database);
  try {
    const people = await sql<{ id: string }[]>`
      select id from public.users tablesample bernoulli (${Math.min(100, (400 * onesBack) / users)}) limit ${onesBack}`;
    const times: number[] = [];
    for (const { id } of people) {
      const [row] = await sql<{ ms: number; rolled_back: boolean }[]>`
        with back as materialized (select clock_timestamp() as began, public.rollback_user_migration(${id}) as answer)
        select (answer -> 'rolled_back')::text <> '0' as rolled_back,
               extract(epoch from clock_timestamp() - began)::float8 * 1000 as ms
        from back`;
      if (!row?.rolled_back) throw new Error('a user was not rolled back');
      times.push(row.ms);
    }
    return times.sort((one, other) => one - other)[Math.floor(times.length / 2)] ?? Number.NaN;
  } finally {
    await sql.end();
  }
}

async function measureOn(
  server: Server,
  template: Template,
  method: Method,
  database: string,
): Promise<Measurement> {
  const { admin } = server;
  const databaseUrl = server.cluster.url('postgres', database);
  const api = method.overHttp ? await startApi(server, database) : undefined;
  const users = Math.min(template.users, method.most ?? template.users);
  let done: Done;
  let walBytes: number;
  let use: ServerUse | undefined;
  try {
    await admin.unsafe('checkpoint');
    const [before] = await admin<{ lsn: string }[]>`select pg_current_wal_insert_lsn()::text as lsn`;
    const watch = watchServer(server.cluster.pid, database);
    done =
      method.key === 'e'
        ? await runCommand(users, api as Api)
        : await runWork({ method: method.key, users, databaseUrl, ...(api && { api }) });
    use = await watch.stop();
    const [after] = await admin<{ bytes: number }[]>`
      select (pg_current_wal_insert_lsn() - ${before?.lsn ?? '0/0'}::pg_lsn)::float8 as bytes`;
    walBytes = after?.bytes ?? 0;
  } finally {
    await api?.stop();
  }
  const sql = connect(server.cluster, 'postgres', database);
  const wrong = await findWrong(sql, method, template, users, done.moved).finally(() => sql.end());
  return {
    method: method.key,
    users: template.users,
    moved: done.moved,
    seconds: done.seconds,
    usersPerSecond: done.moved / done.seconds,
    walBytesPerUser: walBytes / done.moved,
    clientBytes: done.clientBytes,
    serverBytes: use?.bytes,
    serverCpuSeconds: use?.cpuSeconds,
    wrong,
  };
}

async function runWork(order: Order): Promise<Done> {
  const output = await run(['bench/work.ts', JSON.stringify(order)], {});
  return doneSchema.parse(JSON.parse(output));
}

/** The command as somebody types it, from start to exit code. */
async function runCommand(users: number, api: Api): Promise<Done> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-'));
  const memory = path.join(folder, 'memory');
  try {
    const started = performance.now();
    await run(
      [
        '--import',
        path.join(project, 'bench/memory.ts'),
        'scripts/migrate.ts',
        '--yes',
        '--json',
        '--workers',
        '1',
      ],
      {
        SUPABASE_URL: api.url,
        SUPABASE_SECRET_KEY: api.secretKey,
        BENCH_MEMORY_FILE: memory,
        MIGRATION_LOG_LEVEL: 'warn',
      },
      // Where no .env of the project can name another target.
      folder,
    );
    const seconds = (performance.now() - started) / 1000;
    return { seconds, moved: users, clientBytes: Number(await readFile(memory, 'utf8')) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Api {
  url: string;
  secretKey: string;
  stop(): Promise<void>;
}

async function startApi({ cluster }: Server, database: string): Promise<Api> {
  const secretKey = `sb_secret_${randomBytes(16).toString('hex')}`;
  const settings = {
    urls: Object.fromEntries(
      (['postgres', 'supabase_admin', 'authenticator'] as const).map((role) => [
        role,
        cluster.url(role, database),
      ]),
    ),
    keys: {
      publishableKey: 'sb_publishable_bench',
      secretKey,
      jwtSecret: randomBytes(32).toString('hex'),
    },
  };
  const child = startNode(['bench/api.ts'], { BENCH_API: JSON.stringify(settings) }, project);
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk) => resolve(String(chunk).trim()));
    child.once('exit', (code) => reject(new Error(`the Data API ended with exit code ${code}`)));
  });
  // A project's Data API runs all the time: its first request of all, which reads the schema, is not what is measured.
  const first = await connectApi(url, secretKey).rpc('get_engine_version');
  if (first.error) throw new Error(`the Data API does not work: ${first.error.message}`);
  return {
    url,
    secretKey,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await gone;
    },
  };
}

/** Runs a script of the project to its end and gives what it printed. */
async function run(args: string[], env: NodeJS.ProcessEnv, cwd = project): Promise<string> {
  const child = startNode(args, env, cwd);
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${args[0]} ended with exit code ${code}: ${output}`);
  return output;
}

const children = new Set<ChildProcess>();

function startNode(args: string[], env: NodeJS.ProcessEnv, cwd: string): ChildProcess {
  const absolute = args.map((arg) => (/^(bench|scripts)\//.test(arg) ? path.join(project, arg) : arg));
  const child = spawn(process.execPath, absolute, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Ends what is being measured. */
export function endChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** What a method left undone or did wrong, by name. */
async function findWrong(
  sql: Sql,
  method: Method,
  template: Template,
  users: number,
  moved: number,
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = moved === users ? {} : { moved, expected: users };
  if (method.key === 'r') {
    const sums: Sums = await sumsOf(sql);
    for (const [table, sum] of Object.entries(sums))
      if (sum !== template.sums[table]) found[table] = 'changed';
    const [left] = await sql`
      select (select count(*) from public.avatars)::integer as avatars,
             (select count(*) from public.users where active_avatar_id is not null)::integer as users,
             (select count(*) from public.posts where avatar_id is not null)::integer as posts,
             (select count(*) from public.follows where avatar_id is not null)::integer as follows`;
    return { ...found, ...positive(left) };
  }
  if (users < template.users) {
    const [row] = await sql<{ count: number }[]>`select count(*)::integer as count from public.avatars`;
    return row?.count === users ? found : { ...found, avatars: row?.count };
  }
  const text = await readFile(new URL('./sql/wrong.sql', import.meta.url), 'utf8');
  const [row] = await sql.unsafe(text);
  // Users who are moved one by one are no run that ends, and what is built at the end of one is not missed.
  if (method.key === 'g') delete row?.columns_without_index;
  return { ...found, ...positive(row) };
}

function positive(row: Record<string, number> | undefined): Record<string, number> {
  return Object.fromEntries(Object.entries(row ?? {}).filter(([, count]) => count !== 0));
}

/** What the server's processes that work for a database use. */
interface ServerUse {
  /** Private memory: what is shared (buffers, code) is the same for every method. */
  bytes: number;
  cpuSeconds: number;
}

/** Samples them until stopped: their peak of memory, and their processor time in all. */
function watchServer(postmaster: number, database: string): { stop(): Promise<ServerUse | undefined> } {
  const ended = new AbortController();
  let bytes: number | undefined;
  /** By process, since some end before the others. */
  const ticks = new Map<string, number>();
  const watching = (async () => {
    while (!ended.signal.aborted) {
      const now = processesOf(postmaster, database);
      if (now)
        bytes = Math.max(
          bytes ?? 0,
          now.reduce((sum, process) => sum + process.bytes, 0),
        );
      for (const process of now ?? []) ticks.set(process.id, process.ticks);
      await delay(sampleMs, undefined, { signal: ended.signal }).catch(() => {});
    }
  })();
  return {
    async stop() {
      ended.abort();
      await watching;
      if (bytes === undefined) return undefined;
      return {
        bytes,
        cpuSeconds: [...ticks.values()].reduce((sum, value) => sum + value, 0) / ticksPerSecond,
      };
    },
  };
}

/** The kernel's unit of processor time, the same on every Linux. */
const ticksPerSecond = 100;

/** The server's processes for a database at this moment; undefined where there is no /proc to ask. */
function processesOf(
  postmaster: number,
  database: string,
): { id: string; bytes: number; ticks: number }[] | undefined {
  let children: string;
  try {
    children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
  } catch {
    return undefined;
  }
  return children
    .trim()
    .split(' ')
    .flatMap((id) => {
      try {
        if (!readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(` ${database} `)) return [];
        const memory = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1];
        // After the name in brackets, which may hold anything: utime and stime are the 14th and 15th of all.
        const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
        return [{ id, bytes: Number(memory ?? 0) * 1024, ticks: Number(fields[11]) + Number(fields[12]) }];
      } catch {
        // It ended between two looks.
        return [];
      }
    });
}
