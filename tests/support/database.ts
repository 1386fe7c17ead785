import { readFile } from 'node:fs/promises';
import postgres, { type Options, type Sql } from 'postgres';
import { afterAll, inject } from 'vitest';
import { connect as connectTo, type Role } from '../../scripts/embedded/cluster.ts';
import { createSample } from '../../scripts/embedded/sample.ts';
import { prepareAll } from './avatars.ts';
import { BARE, MIGRATED, type TestServer } from './cluster.ts';
import { migrateAll } from './imago.ts';

/** What a test database holds besides the migrations. */
export type App = 'sample' | 'guide' | 'none';

/** A database of its own for one test. */
export interface TestDatabase {
  name: string;
  /** As the role postgres, which is no superuser. */
  url: string;
  sql: Sql;
  /** Another session, independent of sql, one connection unless told otherwise; drop() ends it. */
  connect(options?: Options<Record<string, never>> & { role?: Role }): Sql;
  drop(): Promise<void>;
}

/** What freshDatabase makes. */
export interface DatabaseOptions {
  /** Nothing but Imago unless told otherwise. */
  app?: App;
  /** 200 unless told otherwise. */
  users?: number;
  /** How far the plan avatars is in it; not begun unless told otherwise. */
  avatars?: 'prepared' | 'migrated';
  /** False for a database that `supabase db push` has not seen yet. */
  migrated?: boolean;
  /** The name of a database to copy instead; nobody may be connected to it. */
  template?: string;
  /** The server to make it on, if not the one that all tests share. */
  on?: TestServer;
}

let count = 0;

/** One session for each role on the server that all tests share, for making and dropping databases. */
const admins = new Map<string, Sql>();

/** A new database with the migrations applied and, where asked for, an app with some users. */
export async function freshDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const server = options.on ?? inject('cluster');
  const name = `test_${process.pid}_${++count}`;
  const url = urls(server);

  await onServer(server, async (admin) => {
    await copyDatabase(admin, name, await templateFor(server, admin, options));
  });
  const sql = postgres(url('postgres', name), { max: 10, onnotice: () => {} });
  const others: Sql[] = [];
  return {
    name,
    url: url('postgres', name),
    sql,
    connect({ role = 'postgres', ...rest } = {}) {
      const other = connectTo({ url }, role, name, rest);
      others.push(other);
      return other;
    },
    async drop() {
      // A session that is just reading the types, cut off, would fail where nobody can catch it.
      await Promise.all([sql, ...others].map((client) => client.end({ timeout: 0.5 })));
      // A session of a superuser that is just ending can be ended by a superuser only.
      await onServer(
        server,
        (admin) => admin.unsafe(`drop database if exists ${name} with (force)`),
        'supabase_admin',
      );
    },
  };
}

/**
 * The name of a database that the first test of a file that wants it makes and fills, and all of them copy as their
 * template: for tests that begin with the same app in the same state.
 */
export function madeOnce(
  fill: (sql: Sql) => Promise<unknown>,
  options: DatabaseOptions = {},
): () => Promise<string> {
  let made: Promise<TestDatabase> | undefined;
  afterAll(async () => await (await made)?.drop());
  const make = async () => {
    const db = await freshDatabase(options);
    // Nobody may be connected to a database that is copied.
    await fill(db.sql).finally(() => db.sql.end());
    return db;
  };
  return async () => {
    made ??= make();
    return (await made).name;
  };
}

function urls({ port, password }: TestServer): (role?: string, database?: string) => string {
  return (role = 'postgres', database = 'postgres') =>
    `postgresql://${role}:${password}@127.0.0.1:${port}/${database}`;
}

async function onServer(
  server: TestServer,
  work: (sql: Sql) => Promise<unknown>,
  role: Role = 'postgres',
): Promise<void> {
  const url = urls(server)(role);
  if (server.port !== inject('cluster')?.port) {
    const admin = postgres(url, { max: 1, onnotice: () => {} });
    await work(admin).finally(() => admin.end());
    return;
  }
  let admin = admins.get(url);
  if (!admin) {
    admin = postgres(url, { max: 1, onnotice: () => {} });
    admins.set(url, admin);
  }
  await work(admin);
}

/** Copying files takes a third of the time of writing each block into the WAL. */
async function copyDatabase(admin: Sql, name: string, template: string): Promise<void> {
  await admin.unsafe(`create database ${name} template ${template} strategy file_copy`);
}

/** The database to copy. One with an app is made by the first test that wants it, and copied by all. */
async function templateFor(server: TestServer, admin: Sql, options: DatabaseOptions): Promise<string> {
  const plain = options.template ?? (options.migrated === false ? BARE : MIGRATED);
  const { app = 'none', users = 200, avatars } = options;
  if (app === 'none') return plain;
  const name = [plain, app, users, avatars].filter((part) => part !== undefined).join('_');
  await admin`select pg_advisory_lock(hashtext(${name}))`;
  try {
    const found = await admin`select from pg_database where datname = ${name}`;
    if (found.length > 0) return name;
    const unfinished = `${name}_unfinished`;
    await admin.unsafe(`drop database if exists ${unfinished} with (force)`);
    await copyDatabase(admin, unfinished, plain);
    const sql = postgres(urls(server)('postgres', unfinished), { max: 1, onnotice: () => {} });
    const create = async () => {
      await (app === 'sample' ? createSample(sql, users) : createGuide(sql, users));
      if (avatars === 'prepared') await prepareAll(sql);
      if (avatars === 'migrated') await migrateAll(sql);
    };
    await create().finally(() => sql.end());
    await admin.unsafe(`alter database ${unfinished} rename to ${name}`);
    return name;
  } finally {
    await admin`select pg_advisory_unlock(hashtext(${name}))`;
  }
}

async function createGuide(sql: Sql, users: number): Promise<void> {
  const text = await readFile(new URL('./guide.sql', import.meta.url), 'utf8');
  await sql.begin(async (tx) => {
    await tx`select set_config('guide.users', ${String(users)}, true)`;
    await tx.unsafe(text);
  });
}
