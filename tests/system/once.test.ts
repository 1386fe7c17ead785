/** Stages that are done once: what is no work on single entities, and goes back with all else. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { callAtOnce } from '../support/callers.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents } from '../support/plan.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

const PLAN = 'numbers';
const TABLES = ['public.items', 'public.colours', 'public.facts', 'public.colour_counts'];
/** An advisory lock for which what is done once waits. */
const GATE = 4715;

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/**
 * Items get numbers, after the largest of which a sequence goes on. Their colours become a list, how many there are is
 * written down, and a materialized view counts them. `first`: all that is done before any item is numbered.
 */
async function database(first = false): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  const [once, walked] = first ? [1, '_2'] : [2, ''];
  await db.sql.unsafe(`
    create table public.items (id integer primary key, colour text not null, number integer);
    create table public.colours (name text primary key);
    create table public.facts (name text primary key, amount integer);
    create table public.done (n integer generated always as identity, what text);
    create sequence public.item_numbers;
    select setval('public.item_numbers', 7);
    create materialized view public.colour_counts as select colour, count(number) as numbered from public.items group by colour;
    insert into public.items select n, case n % 3 when 0 then 'red' else 'blue' end from generate_series(1, 30) n;
    insert into public.facts values ('colours', 0), ('others', 5);
    refresh materialized view public.colour_counts;`);
  await db.sql.unsafe(`
    select imago.create_plan('${PLAN}', 'Numbers for items', ${first ? `'${PLAN}', 'once_1'` : "'public', 'items'"}, 'id');
    ${first ? `insert into imago.plan_stage (plan, number, source_schema, source_table, key_column) values ('${PLAN}', 2, 'public', 'items', 'id');` : ''}
    select imago.add_once('${PLAN}', ${once}, 'list of colours');
    create view ${PLAN}.pending${walked} as select id as entity from public.items where number is null;
    create function ${PLAN}.apply${walked}(keys integer[]) returns void language sql set search_path = '' as
      'update public.items set number = 100 + id where id = any (keys) and number is null';
    create function ${PLAN}.do_${once}() returns void language plpgsql set search_path = '' as $$
      begin
        perform pg_advisory_xact_lock_shared(${GATE});
        insert into public.colours select distinct colour from public.items;
        update public.facts set amount = (select count(*) from public.colours) where name = 'colours';
        alter sequence public.item_numbers restart with 1000;
        refresh materialized view public.colour_counts;
      end $$;
    create function ${PLAN}.undo_${once}() returns void language plpgsql set search_path = '' as $$
      begin
        alter sequence public.item_numbers restart with 8;
        insert into public.done (what) values ('taken back');
      end $$;
    insert into imago.plan_write (plan, position, stage, relation, entity_column, inserts, columns) values
      ('${PLAN}', 1, ${first ? 2 : 1}, 'public.items', 'id', false, '{number}'),
      ('${PLAN}', 2, ${once}, 'public.colours', null, true, '{}'),
      ('${PLAN}', 3, ${once}, 'public.facts', null, false, '{amount}');
    select imago.revoke_plan_functions('${PLAN}');`);
  return db;
}

const number = (sql: Sql) =>
  value<string>(sql, 'select last_value + is_called::int from public.item_numbers');
const takenBack = (sql: Sql) => value<number>(sql, 'select count(*)::int from public.done');

const migrateOrTry = (sql: Sql, name: string) => call(sql, name, { plan: PLAN });

describe('a stage that is done once', () => {
  test('is done in its turn, shown, rehearsed, journaled, and taken back once, before what it was built on', async () => {
    const { sql } = await database();
    const before = await contents(sql, TABLES);
    const tried = await call(sql, 'dry_run_migration', { plan: PLAN, mode: 'full' });
    expect(tried).toMatchObject({ migrated: 31, failed: 0, undeclared: [] });
    expect(tried.stages).toMatchObject([
      { stage: 1, outcome: 'complete' },
      { stage: 2, outcome: 'complete', entity_singular: 'list of colours', moved: 1 },
    ]);
    expect(await contents(sql, TABLES)).toEqual(before);

    for (const round of [1, 2]) {
      expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
      expect(await call(sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
        total: 31,
        migrated: 31,
        stages: [{ total: 30 }, { total: 1, migrated: 1, entity_plural: 'list of colours' }],
      });
      expect(await number(sql)).toBe('1000');
      expect(await contents(sql, ['public.colours', 'public.facts', 'public.colour_counts'])).toEqual({
        'public.colours': ['(blue)', '(red)'],
        'public.facts': ['(colours,2)', '(others,5)'],
        'public.colour_counts': ['(blue,20)', '(red,10)'],
      });
      // Once more changes nothing.
      await migrateAll(sql, { plan: PLAN });
      expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
        state: 'succeeded',
        conflicts: 0,
      });
      expect(await number(sql)).toBe('8');
      await sql`refresh materialized view public.colour_counts`;
      expect(await contents(sql, TABLES)).toEqual(before);
      expect(await takenBack(sql)).toBe(round);
    }
  });

  test('before all others is done for a cohort, too; one after them waits until a run takes all', async () => {
    const { sql } = await database(true);
    await call(sql, 'migrate_batch', { plan: PLAN, cohort: { keys: [3] } });
    while ((await call(sql, 'migrate_batch', { plan: PLAN })).has_more);
    expect(await value(sql, 'select array_agg(id) from public.items where number is not null')).toEqual([3]);
    expect(await number(sql)).toBe('1000');
    await rollbackAll(sql, { plan: PLAN });
    expect(await number(sql)).toBe('8');

    const after = (await database()).sql;
    await call(after, 'migrate_batch', { plan: PLAN, cohort: { keys: [3] } });
    while ((await call(after, 'migrate_batch', { plan: PLAN })).has_more);
    expect(await number(after)).toBe('8');
    await call(after, 'migrate_batch', { plan: PLAN, cohort: { percent: 100 } });
    while ((await call(after, 'migrate_batch', { plan: PLAN })).has_more);
    expect(await number(after)).toBe('1000');
  });

  test('by many callers at once is done once, and taken back once', async () => {
    const db = await database();
    await callAtOnce(db, 8, 'migrate_batch', { plan: PLAN, max_ms: 20 });
    expect(await value(db.sql, 'select count(*)::int from public.colours')).toBe(2);
    await callAtOnce(db, 8, 'rollback_batch', { plan: PLAN, max_ms: 20 });
    expect([await takenBack(db.sql), await number(db.sql)]).toEqual([1, '8']);
    expect(await value(db.sql, 'select count(*)::int from public.colours')).toBe(0);
  });

  test('that is killed in the middle leaves nothing, and is done by the next caller', async () => {
    const { sql, connect } = await database();
    while ((await value<number>(sql, 'select count(*)::int from public.items where number is null')) > 0)
      await call(sql, 'migrate_batch', { plan: PLAN, max_ms: 1 });
    const holder = connect();
    const killed = connect();
    const pid = await pidOf(killed);
    await holder`select pg_advisory_lock(${GATE})`;
    const working = (async () => {
      while ((await call(killed, 'migrate_batch', { plan: PLAN })).has_more);
    })().then(
      () => 'done',
      () => 'killed',
    );
    await untilBlocked(sql, pid);
    await sql`select pg_terminate_backend(${pid})`;
    expect(await working).toBe('killed');
    expect(await value(sql, `select done from ${PLAN}.once_2`)).toBe(false);
    expect(await value(sql, 'select count(*)::int from public.colours')).toBe(0);
    await holder`select pg_advisory_unlock(${GATE})`;
    await migrateAll(sql, { plan: PLAN });
    expect(await value(sql, 'select count(*)::int from public.colours')).toBe(2);
  });

  test('that fails is set aside by name, finalize waits for it, and a retry does it', async () => {
    const { sql } = await database();
    await sql`alter table public.colours add constraint no_red check (name <> 'red')`;
    const last = (await migrateAll(sql, { plan: PLAN })).at(-1);
    expect(last).toMatchObject({ state: 'failed', failures_left: 1 });
    const [failure] = await sql`select stage, entity, kind, sqlstate, constraint_name from imago.failure`;
    expect(failure).toEqual({
      stage: 2,
      entity: '1',
      kind: 'failed',
      sqlstate: '23514',
      constraint_name: 'no_red',
    });
    expect(await number(sql)).toBe('8');
    expect((await refusal(call(sql, 'finalize_migration', { plan: PLAN }))).code).toBe('IM038');
    await sql`alter table public.colours drop constraint no_red`;
    await call(sql, 'retry_failed_migrations', { plan: PLAN });
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await number(sql)).toBe('1000');
  });

  test('what people changed since of its rows is a conflict, and stays', async () => {
    const { sql } = await database();
    await migrateAll(sql, { plan: PLAN });
    await sql`update public.facts set amount = 9 where name = 'colours'`;
    const last = (await rollbackAll(sql, { plan: PLAN })).at(-1);
    expect(last?.conflicts).toBe(1);
    expect(await value(sql, `select amount from public.facts where name = 'colours'`)).toBe(9);
    await rollbackAll(sql, { plan: PLAN, force: true });
    expect(await value(sql, `select amount from public.facts where name = 'colours'`)).toBe(0);
  });

  test('that writes what it has not declared, or what no transaction takes back, is refused', async () => {
    const { sql } = await database();
    const body = await value<string>(
      sql,
      `select prosrc from pg_proc where oid = '${PLAN}.do_2()'::regprocedure`,
    );
    const set = (text: string) =>
      sql.unsafe(
        `create or replace function ${PLAN}.do_2() returns void language plpgsql set search_path = '' as $x$${text}$x$`,
      );
    await set(
      body.replace(
        'alter sequence public.item_numbers restart with 1000',
        `perform setval('public.item_numbers', 1000)`,
      ),
    );
    for (const name of ['dry_run_migration', 'migrate_batch']) {
      const refused = await refusal(migrateOrTry(sql, name));
      expect([name, refused.code, refused.message.includes('setval')]).toEqual([name, 'IM006', true]);
    }
    expect(await number(sql)).toBe('8');
    await sql.unsafe(`drop function ${PLAN}.do_2()`);
    expect((await refusal(call(sql, 'dry_run_migration', { plan: PLAN }))).message).toContain(
      'do_2() is missing',
    );
    await set(body);
    await sql`delete from imago.plan_write where relation = 'public.facts'`;
    const undeclared = await refusal(call(sql, 'dry_run_migration', { plan: PLAN, mode: 'full' }));
    expect(undeclared.code).toBe('IM014');
    expect(undeclared.message).toContain('public.facts');
  });
});

test('finalized, its own triggers are no orphans', async () => {
  const { sql } = await database();
  await migrateAll(sql, { plan: PLAN });
  await finalizeAll(sql, { plan: PLAN });
  const unsound = `select string_agg(t ->> 'name', ',') from jsonb_array_elements(imago.installed_triggers()) t where t ->> 'state' <> 'sound'`;
  expect(await value(sql, unsound)).toBeNull();
});
