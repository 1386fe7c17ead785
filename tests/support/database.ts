import { readFile } from 'node:fs/promises';
import postgres, { type Options, type Sql } from 'postgres';
import { inject } from 'vitest';
import { connect as connectTo, type Role } from '../../scripts/embedded/cluster.ts';
import { createSample } from '../../scripts/embedded/sample.ts';
import { BARE, MIGRATED, type TestServer } from './cluster.ts';

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
  /** False for a database that `supabase db push` has not seen yet. */
  migrated?: boolean;
  /** The name of a database to copy instead; nobody may be connected to it. */
  template?: string;
  /** The server to make it on, if not the one that all tests share. */
  on?: TestServer;
}

let count = 0;

/** A new database with the migrations applied and, where asked for, an app with some users. */
export async function freshDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const { port, password } = options.on ?? inject('cluster');
  const template = options.template ?? (options.migrated === false ? BARE : MIGRATED);
  const name = `test_${process.pid}_${++count}`;
  const url = (role = 'postgres', database = 'postgres') =>
    `postgresql://${role}:${password}@127.0.0.1:${port}/${database}`;

  // Copying files takes a third of the time of writing each block into the WAL.
  await onServer((sql) => sql.unsafe(`create database ${name} template ${template} strategy file_copy`));
  const sql = postgres(url('postgres', name), { max: 10, onnotice: () => {} });
  const others: Sql[] = [];
  const db: TestDatabase = {
    name,
    url: url('postgres', name),
    sql,
    connect({ role = 'postgres', ...rest } = {}) {
      const other = connectTo({ url }, role, name, rest);
      others.push(other);
      return other;
    },
    async drop() {
      await Promise.all([sql, ...others].map((client) => client.end({ timeout: 0 })));
      // A session of a superuser that is just ending can be ended by a superuser only.
      await onServer(
        (admin) => admin.unsafe(`drop database if exists ${name} with (force)`),
        'supabase_admin',
      );
    },
  };

  try {
    if (options.app === 'sample') await createSample(sql, options.users ?? 200);
    if (options.app === 'guide') await createGuide(sql, options.users ?? 200);
  } catch (error) {
    await db.drop();
    throw error;
  }
  return db;

  async function onServer(work: (sql: Sql) => Promise<unknown>, role?: Role): Promise<void> {
    const admin = postgres(url(role), { max: 1, onnotice: () => {} });
    await work(admin).finally(() => admin.end());
  }
}

async function createGuide(sql: Sql, users: number): Promise<void> {
  const text = await readFile(new URL('./guide.sql', import.meta.url), 'utf8');
  await sql.begin(async (tx) => {
    await tx`select set_config('guide.users', ${String(users)}, true)`;
    await tx.unsafe(text);
  });
}
