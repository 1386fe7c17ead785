import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { everything } from '../support/everything.ts';
import { type BatchResult, checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { createTally } from '../support/tally.ts';

const databases: TestDatabase[] = [];

async function database(options: DatabaseOptions): Promise<TestDatabase> {
  const db = await freshDatabase(options);
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const dryRun = (sql: Sql, mode: string, plan = 'avatars') => call(sql, 'dry_run_migration', { plan, mode });

/** What a whole run did: rows per relation, and entities moved and set aside. */
function total(answers: (BatchResult | Answer)[]): {
  migrated: number;
  failed: number;
  rows: Record<string, number>;
} {
  const rows: Record<string, number> = {};
  for (const answer of answers) {
    for (const [relation, count] of Object.entries<number>(answer.rows))
      rows[relation] = (rows[relation] ?? 0) + count;
  }
  const sum = (field: string) => answers.reduce((so, answer) => so + Number(answer[field] ?? 0), 0);
  return { migrated: sum('migrated'), failed: sum('failed'), rows };
}

/** Makes some users impossible to move: their default avatars break a constraint. */
async function poison(sql: Sql, users: number): Promise<void> {
  await sql.unsafe(`
    update public.users set display_name = 'poison' where id in (select id from public.users order by md5(id::text) limit ${users});
    alter table public.avatars add constraint no_poison check (name <> 'poison')`);
}

describe('a full dry run', () => {
  test.each([
    ['sample', false],
    ['sample', true],
    ['guide', false],
    ['guide', true],
  ] as const)('reports what the real run then does, to the row: %s, prepared %s', async (app, prepared) => {
    const db = await database({ app, users: 250 });
    if (prepared) await prepareAll(db.sql);
    // An avatars table that is there before the plan is prepared can hold the constraint as well.
    if (prepared || app === 'guide') await poison(db.sql, 3);
    const failed = prepared || app === 'guide' ? 3 : 0;

    const before = await everything(db.sql);
    const dry = await dryRun(db.sql, 'full');
    expect(await everything(db.sql)).toEqual(before);
    expect(dry).toMatchObject({ dry_run: true, mode: 'full', status: 'done', undeclared: [], failed });
    expect(dry.locks_held_ms === null).toBe(prepared);
    expect(dry.failures).toHaveLength(failed);
    if (failed)
      expect(dry.failures[0]).toMatchObject({ kind: 'failed', sqlstate: '23514', constraint: 'no_poison' });
    expect(dry.wal_bytes).toBeGreaterThan(0);
    expect(dry.rows_per_second).toBeGreaterThan(0);
    expect(dry.estimate.total).toBe(250);

    const real = await migrateAll(db.sql);
    expect(total([dry])).toEqual(total(real));
    expect(dry.rows['public.avatars']).toBeGreaterThan(100);
    expect(dry.failures.map((failure: Answer) => failure.entity).sort()).toEqual(
      (await db.sql`select entity from imago.failure order by entity`).map((row) => row.entity),
    );
  });

  test('while a real run is half done: reports the rest and disturbs nothing', async () => {
    const db = await database({ app: 'sample', users: 200 });
    await prepareAll(db.sql);
    const done = await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 40 });
    expect(done).toMatchObject({ status: 'working', migrated: 40 });
    const before = await everything(db.sql);
    const dry = await dryRun(db.sql, 'full');
    expect(await everything(db.sql)).toEqual(before);
    expect(dry.migrated).toBe(160);
    const rest = await migrateAll(db.sql);
    expect(rest[0]?.run).toBe(done.run);
    expect(total([dry])).toEqual(total(rest));
  });

  test('while a real run is paused or being rolled back, and when there is nothing to do', async () => {
    const db = await database({ app: 'sample', users: 60 });
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 20 });
    await call(db.sql, 'pause_migration');
    expect(await dryRun(db.sql, 'full')).toMatchObject({ status: 'done', migrated: 40 });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ state: 'paused' });
    await call(db.sql, 'resume_migration');
    await migrateAll(db.sql);
    expect(await dryRun(db.sql, 'full')).toMatchObject({ status: 'done', migrated: 0, rows: {} });
    await call(db.sql, 'rollback_batch', { max_ms: 1 });
    const left = await value<string>(db.sql, 'select count(*) from avatars.pending');
    expect((await dryRun(db.sql, 'full')).migrated).toBe(Number(left));
    await rollbackAll(db.sql);
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')).toBe(
      '0',
    );
  });

  test('ends with IM018 where the caller has too little time', async () => {
    const db = await database({ app: 'none' });
    await createTally(db.sql, 'integer', [1, 2, 3], { body: 'perform pg_sleep(3);' });
    await prepareAll(db.sql, 'tally');
    const before = await everything(db.sql);
    const hurried = db.connect();
    await hurried`set statement_timeout = '1500ms'`;
    expect(await refusal(dryRun(hurried, 'full', 'tally'))).toMatchObject({ code: 'IM018' });
    expect(await everything(db.sql)).toEqual(before);
  });

  test('waits only shortly for a table that somebody holds', async () => {
    const db = await database({ app: 'sample', users: 10 });
    const holder = await db.connect().reserve();
    await holder.unsafe('begin; lock table public.users in access exclusive mode');
    expect(await refusal(dryRun(db.sql, 'full'))).toMatchObject({ code: 'IM016' });
    await holder.unsafe('rollback');
    holder.release();
    expect(await dryRun(db.sql, 'full')).toMatchObject({ migrated: 10 });
  });
});

describe('a dry run by default', () => {
  test.each([true, false])('is a bounded sample, which leaves nothing, prepared %s', async (prepared) => {
    const db = await database({ app: 'none' });
    await createTally(
      db.sql,
      'integer',
      Array.from({ length: 300 }, (_, i) => i),
      { body: 'perform pg_sleep(0.01 * cardinality(keys));' },
    );
    if (prepared) await prepareAll(db.sql, 'tally');
    const before = await everything(db.sql);
    for (const dry of [
      await call(db.sql, 'migrate_batch', { plan: 'tally', dry_run: true, max_ms: 200, batch_size: 5 }),
      await call(db.sql, 'dry_run_migration', { plan: 'tally', max_ms: 200, batch_size: 5 }),
    ]) {
      expect(dry).toMatchObject({ mode: 'sample', dry_run: true, status: 'working', has_more: true });
      expect(dry.migrated).toBeGreaterThanOrEqual(5);
      expect(dry.migrated).toBeLessThan(50);
      expect(dry.estimate).toMatchObject({ total: 300, rows: { 'public."items"': 300 } });
      expect(dry.estimate.seconds).toBeGreaterThanOrEqual(3);
    }
    expect(await everything(db.sql)).toEqual(before);
  });

  test('holds an unprepared plan for half a second at most', async () => {
    const db = await database({ app: 'none' });
    await createTally(
      db.sql,
      'integer',
      Array.from({ length: 300 }, (_, i) => i),
      { body: 'perform pg_sleep(0.02 * cardinality(keys));' },
    );
    const dry = await call(db.sql, 'dry_run_migration', { plan: 'tally', max_ms: 3_600_000, batch_size: 1 });
    // 20 ms each: what fits in 500 ms, with the one that was begun.
    expect(dry.migrated).toBeLessThanOrEqual(26);
    expect(dry.locks_held_ms).toBeGreaterThan(0);
  });
});

/** A plan that writes logs and labels besides what it declares. */
const tallyOf = async (db: TestDatabase, body: string, options: { pending?: string } = {}) => {
  await db.sql.unsafe('create table public.audit (id bigint generated always as identity, what text)');
  await createTally(db.sql, 'integer', [1, 2, 3, 4, 5], { body, ...options });
};

describe('a dry run of a plan that writes what it does not declare:', () => {
  test.each([
    ['a table', `insert into public.audit (what) values ('x');`, 'public.audit'],
    ['a column', `update public.items set label = 'other' where id = any (keys);`, 'public."items".label'],
    [
      'rows of a declared table',
      `insert into public.items (id, done) select k + 100, true from unnest(keys) k;`,
      'public.items',
    ],
    ['rows deleted', `delete from public.items where id = keys[1] + 1;`, 'public.items'],
  ])('%s: refused with IM014', async (_, body, object) => {
    const db = await database({ app: 'none' });
    await tallyOf(db, body);
    const before = await everything(db.sql);
    for (const mode of ['sample', 'full']) {
      const error = await refusal(dryRun(db.sql, mode, 'tally'));
      expect([error.code, error.message]).toEqual([
        'IM014',
        `plan tally writes what it does not declare: ${object}`,
      ]);
    }
    await prepareAll(db.sql, 'tally');
    expect((await refusal(dryRun(db.sql, 'full', 'tally'))).code).toBe('IM014');
    expect((await everything(db.sql)).rows).toMatchObject({
      'public.items': (before.rows as Answer)['public.items'],
      'public.audit': (before.rows as Answer)['public.audit'],
    });
  });

  test('a generated column, which follows by itself: passes', async () => {
    const db = await database({ app: 'none' });
    await tallyOf(db, '');
    await db.sql.unsafe(
      `alter table public.items add column open boolean generated always as (not done) stored`,
    );
    expect(await dryRun(db.sql, 'full', 'tally')).toMatchObject({
      migrated: 5,
      undeclared: [],
      side_effects: [],
    });
  });

  test('a row that the plan has inserted: passes', async () => {
    const db = await database({ app: 'none' });
    await db.sql.unsafe('create table public.made (id integer primary key, item integer, note text)');
    await tallyOf(
      db,
      `insert into public.made (id, item) select k, k from unnest(keys) k;
       update public.made set note = 'later' where item = any (keys);`,
    );
    await db.sql`
      insert into imago.plan_write (plan, position, relation, entity_column, inserts)
      values ('tally', 2, 'public.made', 'item', true)`;
    expect(await dryRun(db.sql, 'full', 'tally')).toMatchObject({ migrated: 5, undeclared: [] });
    await db.sql.unsafe(`insert into public.made values (-1, 99, 'old')`);
    await db.sql.unsafe(`
      create or replace function tally.apply(keys integer[]) returns void language plpgsql as $$
      begin
        update public.items i set done = true where i.id = any (keys);
        update public.made set note = 'not ours' where item = 99;
      end $$`);
    expect((await refusal(dryRun(db.sql, 'full', 'tally'))).message).toContain('public.made.note');
  });

  test('a partition, through its declared table: passes', async () => {
    const db = await database({ app: 'none' });
    await db.sql.unsafe(`
      create table public.made (id integer primary key, item integer) partition by range (id);
      create table public.made_low partition of public.made for values from (minvalue) to (3);
      create table public.made_high partition of public.made for values from (3) to (maxvalue)`);
    await tallyOf(db, 'insert into public.made (id, item) select k, k from unnest(keys) k;');
    await db.sql`
      insert into imago.plan_write (plan, position, relation, entity_column, inserts)
      values ('tally', 2, 'public.made', 'item', true)`;
    expect(await dryRun(db.sql, 'full', 'tally')).toMatchObject({
      migrated: 5,
      rows: { 'public.made': 5 },
      undeclared: [],
      side_effects: [],
    });
  });
});

describe('a dry run with triggers of the app', () => {
  test('names as side effects: rows elsewhere, columns, rows two triggers away', async () => {
    const db = await database({ app: 'sample', users: 80 });
    await db.sql.unsafe(`
      create table public.audit (id bigint generated always as identity, what text);
      create table public.audit_size (n bigint);
      insert into public.audit_size values (0);
      create function public.note() returns trigger language plpgsql as
        'begin insert into public.audit (what) values (tg_table_name); return null; end';
      create function public.grow() returns trigger language plpgsql as
        'begin update public.audit_size set n = n + 1; return null; end';
      create function public.stamp() returns trigger language plpgsql as 'begin new.bio := ''stamped''; return new; end';
      create trigger note after update on public.users for each row execute function public.note();
      create trigger grow after insert on public.audit for each row execute function public.grow();
      create trigger stamp before update on public.users for each row execute function public.stamp();`);
    const dry = await dryRun(db.sql, 'full');
    expect(dry.undeclared).toEqual([]);
    expect(dry.side_effects).toEqual(
      expect.arrayContaining([
        { object: 'public.audit', rows: 80 },
        { object: 'public.audit_size', rows: 80 },
        { object: 'public.users.bio', rows: null },
      ]),
    );
    expect(dry.side_effects).toHaveLength(3);
    expect(await value(db.sql, 'select count(*) from public.audit')).toBe('0');
    await migrateAll(db.sql);
    expect(await value(db.sql, 'select count(*) from public.audit')).toBe('80');
  });

  test('does not name updated_at, which is kept', async () => {
    const db = await database({ app: 'sample', users: 40 });
    const sums = await checksums(db.sql);
    expect((await dryRun(db.sql, 'full')).side_effects).toEqual([]);
    await migrateAll(db.sql);
    expect(await checksums(db.sql)).toEqual(sums);
  });
});
