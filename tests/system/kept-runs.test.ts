/** The engine's own tables keep a bounded size over a hundred runs. */
import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, PLAN } from '../support/plan.ts';

/** Counting in steps of a hundred takes its time. */
const patience = 600_000;

async function app(kept: number): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users: 20 });
  onTestFinished(() => db.drop());
  await db.sql`update imago.setting set value = ${String(kept)} where name = 'kept_runs'`;
  return db;
}

/** Rows and bytes of each table of the engine and of the journal, without the room that updated rows have left. */
async function sizes(sql: Sql): Promise<Map<string, { rows: number; bytes: number }>> {
  const tables = await sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class
    where relkind = 'r' and relnamespace in ('imago'::regnamespace, 'imago_undo'::regnamespace) order by 1`;
  const found = new Map<string, { rows: number; bytes: number }>();
  for (const { name } of tables) {
    await sql.unsafe(`vacuum full ${name}`);
    found.set(name, {
      rows: await value<number>(sql, `select count(*)::int from ${name}`),
      bytes: await value<number>(sql, `select pg_total_relation_size('${name}')::int`),
    });
  }
  return found;
}

describe('a hundred runs', () => {
  test('forward and back, with retries, validations and dry runs: no table of the engine grows after the kept ones', {
    timeout: patience,
  }, async () => {
    const db = await freshDatabase({ app: 'none' });
    onTestFinished(() => db.drop());
    const { sql } = db;
    await sql`update imago.setting set value = '10' where name = 'kept_runs'`;
    await sql.unsafe(`
      create table public.people (id integer primary key, name text);
      create table public.cards (id integer primary key, person integer not null);
      insert into public.people select n, 'person ' || n from generate_series(1, 30) n;
      analyze public.people`);
    await createPlan(sql, {
      table: 'people',
      key: 'id',
      keyType: 'integer',
      pending: 'not exists (select from public.cards c where c.person = s.id)',
      apply: 'insert into public.cards (id, person) select k, k from unnest(keys) k;',
      writes: [{ relation: 'public.cards', entity: 'person', inserts: true }],
    });
    const plan = PLAN;
    const before = await contents(sql, ['public.people', 'public.cards']);
    const round = async (n: number) => {
      if (n % 5 === 0)
        await sql`alter table public.cards add constraint refused check (person <> 7) not valid`;
      await migrateAll(sql, { plan });
      if (n % 5 === 0) {
        await sql`alter table public.cards drop constraint refused`;
        await call(sql, 'retry_failed_migrations', { plan });
        await migrateAll(sql, { plan });
      }
      while ((await call(sql, 'validate_migration', { plan })).has_more);
      if (n % 4 === 0) await call(sql, 'dry_run_migration', { plan });
      await rollbackAll(sql, { plan });
    };
    const runs = () => value<number>(sql, 'select coalesce(max(id), 0)::int from imago.run');
    let n = 0;
    while ((await runs()) < 50) await round(++n);
    const half = await sizes(sql);
    while ((await runs()) < 100) await round(++n);
    const whole = await sizes(sql);
    // Which of the last runs had failures, or were validated, differs; a page more or two is what that comes to.
    const grown = [...whole].filter(([name, { rows, bytes }]) => {
      const then = half.get(name) ?? { rows: 0, bytes: 0 };
      return rows > then.rows * 1.25 + 5 || bytes > then.bytes * 1.25 + 4 * 8192;
    });
    expect(grown).toEqual([]);
    expect(whole.get('imago.run')?.rows).toBe(10);
    expect(await contents(sql, ['public.people', 'public.cards'])).toEqual(before);
    expect((await call(sql, 'get_run_history', { plan })).runs).toHaveLength(10);
  });

  test('forward only, each with some that came meanwhile: figures stay right, and all goes back', async () => {
    const db = await app(5);
    const { sql } = db;
    await migrateAll(sql);
    for (let n = 1; n < 20; n += 1) {
      await sql`alter table public.users disable trigger user`;
      await sql`insert into public.users (username) values (${`late ${n}`})`;
      await sql`alter table public.users enable trigger user`;
      await migrateAll(sql);
    }
    const moved = await value<number>(sql, 'select sum(moved)::int from imago.lane');
    expect(moved).toBe(39);
    expect(await value(sql, 'select count(*)::int from imago.run')).toBe(5);
    await expectAllMigrated(sql);
    await rollbackAll(sql);
    expect(await value(sql, 'select count(*)::int from public.avatars')).toBe(0);
  });

  test('that a migration without a journal was among them is not forgotten', async () => {
    const db = await app(2);
    const { sql } = db;
    for (let answer = await call(sql, 'migrate_batch', { backup: false }); answer.has_more; )
      answer = await call(sql, 'migrate_batch', { backup: false });
    for (let n = 1; n < 6; n += 1) await migrateAll(sql);
    expect((await refusal(call(sql, 'rollback_batch'))).code).toBe('IM009');
  });

  test('of what syncs have followed under a run, the newest are kept', async () => {
    const db = await app(50);
    const { sql } = db;
    await sql`update imago.setting set value = '7' where name = 'kept_syncs'`;
    await migrateAll(sql);
    for (let n = 1; n <= 20; n += 1)
      await sql`insert into public.posts (user_id, body) select id, ${`post ${n}`} from public.users limit 1`;
    const syncs = () => value<number>(sql, `select count(*)::int from imago.batch where path = 'sync'`);
    expect(await syncs()).toBe(20);
    await migrateAll(sql);
    expect(await syncs()).toBe(7);
    await rollbackAll(sql);
  });
});

test('what a run writes into the engine again and again is updated in place', {
  timeout: patience,
}, async () => {
  const db = await freshDatabase({ app: 'sample', users: 300 });
  onTestFinished(() => db.drop());
  const sql = db.connect({ max: 1 });
  for (let answer = await call(sql, 'migrate_batch', { max_ms: 1, batch_size: 10 }); answer.has_more; )
    answer = await call(sql, 'migrate_batch', { max_ms: 1, batch_size: 10 });
  while ((await call(sql, 'validate_migration')).has_more);
  await rollbackAll(sql);
  await sql`select pg_stat_force_next_flush()`;
  const tables = await sql<{ name: string; updated: number; hot: number }[]>`
    select relname as name, n_tup_upd::int as updated, n_tup_hot_upd::int as hot from pg_stat_user_tables
    where schemaname = 'imago' and relname in ('lane', 'health', 'governor', 'reading', 'standstill', 'validation_check', 'batch')
      and n_tup_upd > 20`;
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['lane', 'health', 'batch']));
  const elsewhere = tables.filter(({ updated, hot }) => hot < 0.9 * updated);
  expect(elsewhere).toEqual([]);
});
