/** A plan's view that runs into an error, outside of the batches that set single rows aside. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { changePlan, createPlan, PLAN, type PlanParts } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const plan: PlanParts = {
  table: 'items',
  key: 'id',
  keyType: 'integer',
  pending: 's.label is null',
  apply: `update public.items set label = 'item ' || id where id = any (keys);`,
  writes: [{ relation: 'public.items', entity: 'id', columns: ['label'] }],
};

/** Items whose function is_open raises for those whose weight is 0; by its own statement, by raise, or in the view itself. */
type Ways = [what: string, pending: string, sqlstate: string, raiser: string][];
const ways: Ways = [
  ['a function of the app that raises', 'app.is_open(s)', 'P0001', 'app.is_open line 3'],
  ['a function of the app that divides by zero', 'app.divides(s)', '22012', 'app.divides line 2'],
  ['a function of the app that lacks a right', 'app.denied(s)', '42501', 'app.denied line 3'],
  ['an expression of its own', 'case when 1 / s.weight > 0 then s.label is null end', '22012', ''],
];

async function items(pending: string): Promise<TestDatabase> {
  const db = await freshDatabase({});
  databases.push(db);
  await db.sql.unsafe(`
    create schema app;
    create table public.items (id int primary key, label text, weight int not null default 1, secret text default 'sesame');
    insert into public.items select i from generate_series(1, 40) i;
    create function app.is_open(item public.items) returns boolean language plpgsql stable as $$
    begin
      if item.weight = 0 then raise exception 'no weight: %', item.secret; end if;
      return item.label is null;
    end $$;
    create function app.divides(item public.items) returns boolean language plpgsql stable as $$
    begin return 1 / item.weight > 0 and item.label is null; end $$;
    create function app.denied(item public.items) returns boolean language plpgsql stable as $$
    begin
      if item.weight = 0 then raise insufficient_privilege using message = item.secret; end if;
      return item.label is null;
    end $$;`);
  await createPlan(db.sql, { ...plan, pending });
  return db;
}

const stumble = (db: TestDatabase, id = 7) => db.sql`update public.items set weight = 0 where id = ${id}`;
const migrate = (db: TestDatabase) => migrateAll(db.sql, { plan: PLAN, batch_size: 5 });
const named = (raiser: string) => [raiser, `view ${PLAN}.pending`].filter(Boolean).join(', called by ');

describe('a view pending that stumbles over a row', () => {
  test.each([ways[0], ways[3]] as Ways)(
    '%s: the run sets that row aside, named, moves all others and ends',
    async (_, pending, sqlstate, raiser) => {
      const db = await items(pending);
      await stumble(db);
      expect((await migrate(db)).at(-1)).toMatchObject({ status: 'done', state: 'failed', failures_left: 1 });
      expect(await db.sql`select entity, kind, sqlstate, raised_by from imago.failure`).toMatchObject([
        { entity: '7', kind: 'failed', sqlstate, raised_by: named(raiser) },
      ]);
      expect(await value(db.sql, 'select count(label)::int from public.items')).toBe(39);
      await db.sql`update public.items set weight = 1`;
      await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
      expect((await migrate(db)).at(-1)).toMatchObject({ state: 'succeeded' });
      expect((await rollbackAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    },
  );

  test.each(ways)('%s, since the lanes passed it: the same', async (_, pending, sqlstate, raiser) => {
    const db = await items(pending);
    await migrate(db);
    await db.sql`update public.items set label = null where id in (3, 7)`;
    await stumble(db);
    expect((await migrate(db)).at(-1)).toMatchObject({ status: 'done', state: 'failed', failures_left: 1 });
    expect(await db.sql`select entity, kind, sqlstate, raised_by from imago.failure`).toMatchObject([
      { entity: '7', kind: 'failed', sqlstate, raised_by: named(raiser) },
    ]);
    expect(await value(db.sql, 'select label from public.items where id = 3')).toBe('item 3');
  });

  test.each([ways[1], ways[3]] as Ways)(
    '%s: a call that counts or looks for what is pending is told which, in IM071',
    async (_, pending, sqlstate, raiser) => {
      const db = await items(pending);
      await migrate(db);
      await stumble(db);
      const cannot = {
        code: 'IM071',
        message: `the view trial.pending of plan trial cannot be read: SQLSTATE ${[sqlstate, raiser && named(raiser)].filter(Boolean).join(' in ')}`,
      };
      for (const [name, args] of [
        ['get_migration_statistics'],
        ['expect_done'],
        ['finalize_migration'],
        ['finalize_migration', { dry_run: true }],
      ] as [string, object?][]) {
        const error = await refusal(call(db.sql, name, { plan: PLAN, ...args }));
        expect({ called: name, code: error.code, message: error.message }).toEqual({
          called: name,
          ...cannot,
        });
        expect(JSON.stringify(error)).not.toContain('sesame');
      }
      // Who only wants to see how far it is sees that.
      expect(await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
        state: 'succeeded',
        total: 40,
        migrated: 40,
        total_is_estimate: true,
        count_error: cannot,
      });
      expect(await call(db.sql, 'get_migration_report', { plan: PLAN })).toMatchObject({
        progress: { state: 'succeeded', total: 40, migrated: 40, count_error: cannot },
        statistics: null,
        performance: { state: 'succeeded' },
      });
      const { checks } = await call(db.sql, 'validate_migration', { plan: PLAN });
      expect(checks.find(({ error }: Answer) => error)).toMatchObject({ name: 'unreachable', error: cannot });
      expect(await refusal(call(db.sql, 'dry_run_migration', { plan: PLAN }))).toMatchObject(cannot);
      await db.sql`update public.items set weight = 1`;
      expect((await finalizeAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'finalized' });
    },
  );

  test('a window of entities: the row is set aside', async () => {
    const db = await items('app.is_open(s)');
    await stumble(db, 2);
    expect(await call(db.sql, 'prepare_migration', { plan: PLAN })).toBeTruthy();
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    const answer = await value<Answer>(db.sql, `select imago.move_window('${PLAN}', 5, 0)`);
    expect(answer).toMatchObject({ migrated: 4, failed: 1 });
  });
});

describe('a view that cannot be read at all', () => {
  test('because a function of the app lacks a table, since the lanes passed: every row is named, up to the error budget', async () => {
    const db = await items('app.is_open(s)');
    await migrate(db);
    await db.sql.unsafe(
      `create or replace function app.is_open(item public.items) returns boolean language plpgsql stable as $$
       begin return exists (select from public.missing m where m.id = item.id); end $$`,
    );
    await db.sql`update public.items set label = null where id < 10`;
    await call(db.sql, 'migrate_batch', { plan: PLAN, max_failures: '5', max_ms: 1 });
    const last = (await migrate(db)).at(-1);
    expect(last).toMatchObject({ status: 'failed', error: { code: 'IM020' } });
    expect(last?.error?.hint).toContain(`SQLSTATE 42P01 in app.is_open line 2, called by view trial.pending`);
  });

  test('because its owner lost a right: the run stops, and names the view', async () => {
    const db = await items(plan.pending);
    await migrate(db);
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    await admin`create table public.others (id int primary key)`;
    await admin`grant select on public.others to postgres`;
    await changePlan(db.sql, {
      ...plan,
      pending: 's.label is null and not exists (select from public.others o where o.id = s.id)',
    });
    await db.sql`update public.items set label = null where id = 3`;
    await admin`revoke select on public.others from postgres`;
    const last = (await migrate(db)).at(-1);
    expect(last).toMatchObject({
      status: 'failed',
      error: { code: 'IM021', message: 'the run stopped with SQLSTATE 42501' },
    });
    expect(last?.error?.hint).toContain('It came from view trial.pending.');
  });

  test('functions of the plan: preflight(), statistics() and check_query() are named, and a view concerned', async () => {
    const db = await items(plan.pending);
    const broken = (name: string, args: string, returns: string) =>
      db.sql.unsafe(
        `create or replace function ${PLAN}.${name}(${args}) returns ${returns} language plpgsql as $$ begin raise exception 'sesame'; end $$`,
      );
    await broken('preflight', '', 'setof imago.problem');
    const cannot = (what: string, raiser: string) => ({
      code: 'IM071',
      message: `the ${what} of plan trial cannot be read: SQLSTATE P0001 in ${raiser}`,
    });
    for (const [name, args] of [
      ['prepare_migration'],
      ['migrate_batch'],
      ['dry_run_migration', { mode: 'preflight' }],
    ] as [string, object?][]) {
      expect(await refusal(call(db.sql, name, { plan: PLAN, ...args }))).toMatchObject(
        cannot('function trial.preflight()', 'trial.preflight line 1'),
      );
    }
    await db.sql.unsafe(
      `create or replace function ${PLAN}.preflight() returns setof imago.problem language sql as 'select null, null, null, null, null where false'`,
    );
    await db.sql.unsafe(
      `create view ${PLAN}.concerned as select s.id as entity from public.items s where app.is_open(s) is not null`,
    );
    await stumble(db);
    expect(await refusal(migrate(db))).toMatchObject(
      cannot('view trial.concerned', 'app.is_open line 3, called by view trial.concerned'),
    );
    await db.sql`update public.items set weight = 1`;
    await broken('check_query', 'name text', 'text');
    await db.sql`
      insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, meaning, remedy)
      values (${PLAN}, 1, 'open', 'error', 'after', 'public.items', 'id', 'open', 'move it')`;
    const last = (await migrate(db)).at(-1);
    expect(last).toMatchObject({ state: 'succeeded', findings: [{ name: 'open', error: 'IM029' }] });
    const { checks } = await call(db.sql, 'validate_migration', { plan: PLAN });
    expect(checks.find(({ name }: Answer) => name === 'open').error.message).toBe(
      'check open of plan trial could not be evaluated: SQLSTATE P0001 in trial.check_query line 1',
    );
    await broken('statistics', '', 'jsonb');
    const counts = cannot('function trial.statistics()', 'trial.statistics line 1');
    expect(await refusal(call(db.sql, 'get_migration_statistics', { plan: PLAN }))).toMatchObject(counts);
    expect(await call(db.sql, 'get_migration_report', { plan: PLAN })).toMatchObject({
      progress: { state: 'succeeded', count_error: counts },
      statistics: null,
    });
  });
});
