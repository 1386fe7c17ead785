/** The PostgreSQL server of a benchmark and the databases on it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { type Cluster, connect, removeCluster, startCluster } from '../scripts/embedded/cluster.ts';
import { pushMigrations } from '../scripts/embedded/push.ts';
import { createSample } from '../scripts/embedded/sample.ts';

export interface Server {
  cluster: Cluster;
  /** Of the superuser: for checkpoints and the position in the WAL. */
  admin: Sql;
  /** Stops the server and removes its files; a second call waits for the first. */
  remove(): Promise<void>;
}

/** A database that others are copied from. */
export interface Template {
  name: string;
  users: number;
  /** A sum over the rows of each table of the app, without what the plan adds. */
  sums: Sums;
}

export type Sums = Record<string, string>;

/** What the app has of its own in each table that the plan writes. */
const appColumns: Record<string, string[]> = {
  users: ['id', 'username', 'display_name', 'bio', 'avatar_url', 'created_at', 'updated_at'],
  posts: ['id', 'user_id', 'body', 'created_at', 'updated_at'],
  follows: ['id', 'follower_id', 'followed_id', 'created_at', 'updated_at'],
};

const megabytes = 1024 * 1024;

/** What Supabase gives a project with two cores and 8 GB of memory; on a machine that has less, of that. */
function projectSettings(): Record<string, string> {
  const memory = Math.min(8192, Math.floor(totalmem() / megabytes));
  return {
    shared_buffers: `${Math.floor(memory / 4)}MB`,
    effective_cache_size: `${Math.floor((memory / 4) * 3)}MB`,
    random_page_cost: '1.1',
    min_wal_size: '1GB',
    max_wal_size: '4GB',
  };
}

/** Starts a server in a temporary folder, with the settings of a Supabase project, and more where they are given. */
export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-'));
  const cluster = await startCluster({ folder, settings: { ...projectSettings(), ...settings } });
  const admin = connect(cluster, 'supabase_admin');
  let removed: Promise<void> | undefined;
  return { cluster, admin, remove: () => (removed ??= remove()) };

  async function remove(): Promise<void> {
    await admin.end({ timeout: 0 });
    await cluster.stop('immediate');
    await removeCluster(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Creates a database with the sample app's tables, so many users, Imago, and the avatars plan prepared. */
export async function createTemplate(server: Server, users: number): Promise<Template> {
  const name = `users_${users}`;
  await server.admin.unsafe(`create database ${name} owner postgres template postgres`);
  const sql = connect(server.cluster, 'postgres', name);
  const superuser = connect(server.cluster, 'supabase_admin', name);
  try {
    await createSample(sql, 0);
    const rows = await readFile(new URL('./app.sql', import.meta.url), 'utf8');
    await superuser.begin(async (tx) => {
      await tx`select set_config('bench.users', ${String(users)}, true)`;
      await tx.unsafe(rows);
    });
    await pushMigrations(server.cluster.url('postgres', name));
    // Each method starts from tables without dead rows, with up-to-date statistics and hint bits set. Not after preparing:
    // a new table is new to the planner, whereas one that was vacuumed empty would be empty for good to cached plans.
    await superuser.unsafe('vacuum (freeze, analyze)');
    for (;;) {
      const [row] = await sql<{ more: boolean }[]>`
        select (public.prepare_migration() ->> 'has_more')::boolean as more`;
      if (!row?.more) break;
    }
    return { name, users, sums: await sumsOf(sql) };
  } finally {
    await Promise.all([sql.end(), superuser.end()]);
  }
}

/** A copy of a template, written out to disk, with or without Imago's triggers, and with indexes that it has none of. */
export async function copyTemplate(
  server: Server,
  template: Template,
  isImago: boolean,
  indexedFirst = false,
): Promise<string> {
  const name = `bench_${randomBytes(4).toString('hex')}`;
  await server.admin.unsafe(
    `create database ${name} owner postgres template ${template.name} strategy file_copy`,
  );
  const sql = connect(server.cluster, 'postgres', name);
  try {
    if (!isImago) await dropTriggers(sql);
    if (indexedFirst) await sql.unsafe(await readFile(new URL('./sql/indexes.sql', import.meta.url), 'utf8'));
  } finally {
    await sql.end();
  }
  return name;
}

export async function dropDatabase(server: Server, name: string): Promise<void> {
  await server.admin.unsafe(`drop database ${name} with (force)`);
}

/** For each table the sum of a hash over its rows, in whatever order they lie. */
export async function sumsOf(sql: Sql): Promise<Sums> {
  const sums: Sums = {};
  for (const [table, columns] of Object.entries(appColumns)) {
    const [row] = await sql<{ sum: string }[]>`
      select count(*) || ' ' || coalesce(sum(hashtextextended(row(${sql(columns)})::text, 0)), 0) as sum
      from public.${sql(table)}`;
    sums[table] = row?.sum ?? '';
  }
  return sums;
}

async function dropTriggers(sql: Sql): Promise<void> {
  const triggers = await sql<{ name: string; relation: string }[]>`
    select t.tgname as name, t.tgrelid::regclass::text as relation
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal and (p.pronamespace::regnamespace::text in ('imago', 'imago_undo') or p.proname = 'expect_own_avatar')`;
  for (const { name, relation } of triggers) await sql`drop trigger ${sql(name)} on ${sql(relation)}`;
}
