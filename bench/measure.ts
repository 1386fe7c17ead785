/** Runs methods on databases of their own, in turn; measures them and checks what they did. */
import type { Sql } from 'postgres';
import { connect } from '../scripts/embedded/cluster.ts';
import { type Method, type MethodKey, methodOf } from './methods.ts';
import { type ServerUse, watchServer } from './processes.ts';
import { type Runner, startRunner } from './runners.ts';
import { copyTemplate, dropDatabase, type Server, type Template } from './server.ts';
import { findWrong } from './wrong.ts';

/** What one run of one method took. */
export interface Measurement {
  method: MethodKey;
  /** The group of runs that took turns with it: their ratios are what counts. */
  group: number;
  /** Users of the database; a method with `most` moves fewer of them. */
  users: number;
  moved: number;
  /** Of its own turns. */
  seconds: number;
  usersPerSecond: number;
  /** Of the whole server in its turns, after a checkpoint. */
  walBytesPerUser: number;
  /** Peak memory of the process that drives the method. */
  clientBytes: number;
  /** Peak private memory of the server's processes for its database, all together; unknown outside Linux. */
  serverBytes: number | undefined;
  /** Processor time of these processes: less disturbed by what else the machine does than the seconds are. */
  serverCpuSeconds: number | undefined;
  /** Median time of rolling back one user alone afterwards, on the server. */
  oneBackMs?: number;
  /** What is not as it should be afterwards; empty when all is right. */
  wrong: Record<string, unknown>;
}

/** How many users are rolled back alone: enough for a median that the first call's planning does not move. */
const onesBack = 25;

/** A method on its database, and what it has taken so far. */
interface Line {
  method: Method;
  template: Template;
  database: string;
  users: number;
  runner: Runner;
  moved: number;
  ended: boolean;
  seconds: number;
  walBytes: number;
  clientBytes: number;
}

let groups = 0;

/**
 * Measures methods in turn, each on a fresh copy of its template; with `oneBack` what it takes to take one user back after
 * it. `change` is done to the database of each line before.
 */
export async function measure(
  server: Server,
  templateOf: (key: MethodKey) => Template,
  keys: readonly MethodKey[],
  oneBack = false,
  change?: (sql: Sql, line: number) => Promise<unknown>,
): Promise<Measurement[]> {
  groups += 1;
  const lines: Line[] = [];
  try {
    for (const key of keys) lines.push(await prepare(server, templateOf(key), methodOf(key)));
    for (const [index, { database }] of change ? lines.entries() : []) {
      const sql = connect(server.cluster, 'postgres', database);
      await change?.(sql, index).finally(() => sql.end());
    }
    await server.admin.unsafe('checkpoint');
    const watches = lines.map((line) => watchServer(server.cluster.pid, line.database));
    let uses: (ServerUse | undefined)[] = [];
    try {
      await takeTurns(server.admin, lines);
    } finally {
      uses = await Promise.all(watches.map((watch) => watch.stop()));
    }
    const results: Measurement[] = [];
    for (const [index, line] of lines.entries()) {
      const { method, template, users, moved, seconds } = line;
      const sql = connect(server.cluster, 'postgres', line.database);
      const wrong = await findWrong(sql, method, template, users, moved).finally(() => sql.end());
      results.push({
        method: method.key,
        group: groups,
        users: template.users,
        moved,
        seconds,
        usersPerSecond: moved / seconds,
        walBytesPerUser: line.walBytes / moved,
        clientBytes: line.clientBytes,
        serverBytes: uses[index]?.bytes,
        serverCpuSeconds: uses[index]?.cpuSeconds,
        ...(oneBack && { oneBackMs: await timeOneBack(server, line.database, template.users) }),
        wrong,
      });
    }
    return results;
  } finally {
    for (const line of lines) {
      await line.runner.end();
      await dropDatabase(server, line.database);
    }
  }
}

/** A template whose users are all migrated, without dead rows and with fresh statistics, as autovacuum leaves it within minutes. */
export async function migrateTemplate(server: Server, template: Template): Promise<Template> {
  const { database, runner } = await prepare(server, template, methodOf('b'));
  try {
    while (!(await runner.turn()).ended);
  } finally {
    await runner.end();
  }
  const superuser = connect(server.cluster, 'supabase_admin', database);
  await superuser.unsafe('vacuum (analyze)').finally(() => superuser.end());
  return { ...template, name: database };
}

async function prepare(server: Server, template: Template, method: Method): Promise<Line> {
  const database = await copyTemplate(server, template, method.isImago, method.indexedFirst);
  const users = Math.min(template.users, method.most ?? template.users);
  const runner = await startRunner(server, method, database, users).catch(async (error) => {
    await dropDatabase(server, database);
    throw error;
  });
  const nothing = { moved: 0, ended: false, seconds: 0, walBytes: 0, clientBytes: 0 };
  return { method, template, database, users, runner, ...nothing };
}

/** Lets them work to their ends. */
async function takeTurns(admin: Sql, lines: readonly Line[]): Promise<void> {
  for (let line = nextLine(lines); line; line = nextLine(lines)) {
    const before = await walPosition(admin);
    const startedAt = performance.now();
    const { moved, ended, clientBytes } = await line.runner.turn();
    line.seconds += (performance.now() - startedAt) / 1000;
    line.walBytes += (await walPosition(admin)) - before;
    Object.assign(line, { moved, ended, clientBytes });
  }
}

type Standing = Pick<Line, 'method' | 'moved' | 'users' | 'ended' | 'seconds'>;

/** Whose turn it is: who is least far, so that the work of each is spread over the same time. */
export function nextLine<T extends Standing>(lines: readonly T[]): T | undefined {
  return lines
    .filter(({ ended }) => !ended)
    .sort((one, other) => share(one) - share(other) || one.seconds - other.seconds)[0];
}

/** How far a line is. Who does all in one turn counts as half-way before it: others work before and after then. */
function share({ method, moved, users }: Standing): number {
  return method.turnMs === undefined ? 0.5 : moved / users;
}

async function walPosition(admin: Sql): Promise<number> {
  const [row] = await admin<{ bytes: number }[]>`
    select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes`;
  return row?.bytes ?? 0;
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
