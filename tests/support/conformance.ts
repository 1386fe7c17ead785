import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from './call.ts';
import { callAtOnce, total } from './callers.ts';
import type { TestServer } from './cluster.ts';
import { createApp } from './conformance/app.ts';
import { killInBatch, mend, poison } from './conformance/faults.ts';
import type { Fixture } from './conformance/fixture.ts';
import { whileWriting } from './conformance/live.ts';
import { finalize, prepare } from './conformance/steps.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from './database.ts';
import { expectSameFigures } from './figures.ts';
import { type BatchResult, migrateAll, rollbackAll } from './imago.ts';
import { appColumns, type Columns, type Rows, rowsOf } from './rows.ts';
import { expectNoTraces } from './state.ts';
import { found, validated } from './validation.ts';

/** An app with the plan prepared, and what it holds then. */
interface Prepared {
  db: TestDatabase;
  sql: Sql;
  columns: Columns;
  rows: Rows;
  /** What prepare has added, with what stands in it: columns by table, and tables. */
  added: Columns;
  blank: Rows;
  pending: number;
}

/**
 * What every plan has to keep, whatever it does: a test for each promise, on the app of its fixture. `server` gives another
 * PostgreSQL than the tests share: what can differ between versions is tried there, what takes long is not tried again.
 */
export function conform(plan: string, fixture: Fixture, server?: () => TestServer): void {
  describe(`the plan ${plan}`, () => {
    const entities = fixture.entities ?? 60;
    const small = { plan, batch_size: 3, max_ms: 1 };
    const agreeing = fixture.writers.filter(({ conflicts }) => !conflicts);
    const disputing = fixture.writers.filter(({ conflicts }) => conflicts);
    const testOnce = test.skipIf(server !== undefined);
    const databases: TestDatabase[] = [];
    const make = (options: DatabaseOptions = {}) =>
      freshDatabase({ ...options, ...(server && { on: server() }) });
    let template: TestDatabase;
    /** The app before anybody has migrated it. */
    let original: Columns;
    let app: Rows;

    beforeAll(async () => {
      template = await make();
      await createApp(template.sql, fixture.app, entities);
      original = await appColumns(template.sql);
      app = await rowsOf(template.sql, original);
      // Nobody may be connected to a database that is copied.
      await template.sql.end();
    });
    afterEach(async () => {
      await Promise.all(databases.splice(0).map((db) => db.drop()));
    });
    afterAll(() => template.drop());

    async function freshApp(): Promise<TestDatabase> {
      const db = await make({ template: template.name });
      databases.push(db);
      return db;
    }

    async function prepared(): Promise<Prepared> {
      const db = await freshApp();
      const { sql } = db;
      await prepare(sql, plan);
      expect(await rowsOf(sql, original)).toEqual(app);
      const columns = await appColumns(sql);
      const added = without(columns, original);
      const pending = await pendingOf(sql, plan);
      await expectProgress(sql, 0, pending);
      return {
        db,
        sql,
        columns,
        rows: await rowsOf(sql, columns),
        added,
        blank: await rowsOf(sql, added),
        pending,
      };
    }

    /** The figures that people are shown, all of them, hold for the entities that the plan concerns and for no others. */
    async function expectProgress(sql: Sql, migrated: number, pending: number): Promise<void> {
      const percentage = Math.floor((10_000 * migrated) / (migrated + pending)) / 100;
      const figures = {
        total: migrated + pending,
        total_users: migrated + pending,
        migrated,
        migrated_users: migrated,
        pending,
        percentage,
        migration_completion_percentage: percentage,
      };
      expect(await call(sql, 'get_detailed_migration_progress', { plan })).toMatchObject({
        ...figures,
        pending_users: pending,
        total_is_estimate: false,
      });
      expect(await call(sql, 'get_migration_statistics', { plan })).toMatchObject({
        ...figures,
        users_needing_migration: pending,
      });
      await expectSameFigures(sql, plan);
    }

    /** However many the app has made meanwhile. */
    async function expectAll(sql: Sql, are: 'migrated' | 'pending'): Promise<void> {
      const { total } = await call(sql, 'get_detailed_migration_progress', { plan });
      expect(total).toBeGreaterThan(0);
      await (are === 'migrated' ? expectProgress(sql, total, 0) : expectProgress(sql, 0, total));
    }

    /** Runs it to its end, where nothing may be left. */
    async function forward(sql: Sql): Promise<BatchResult[]> {
      const answers = await migrateAll(sql, { plan });
      expect(await setAside(sql, plan)).toEqual([]);
      expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', error: null });
      await expectMigrated(sql);
      return answers;
    }

    async function expectMigrated(sql: Sql): Promise<void> {
      expect(await pendingOf(sql, plan)).toBe(0);
      expect([...(await sql.unsafe(fixture.differing))]).toEqual([]);
      const answer = await validated(sql, { plan });
      expect({ healthy: answer.healthy, found: answer.healthy ? {} : found(answer) }).toEqual({
        healthy: true,
        found: {},
      });
      await expectOneRowEach(sql, plan);
    }

    /** Takes it back, where nothing may be in conflict. */
    async function back(sql: Sql, force = false): Promise<void> {
      const answers = await rollbackAll(sql, { plan, force });
      expect(await setAside(sql, plan)).toEqual([]);
      expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0, error: null });
      await expectNoTraces(sql, plan);
    }

    testOnce('looks at an app without its tables, and refuses by name', async () => {
      const db = await make();
      databases.push(db);
      const looked = await call(db.sql, 'dry_run_migration', { plan, mode: 'preflight' });
      expect(looked.problems).toContainEqual(
        expect.objectContaining({ severity: 'error', message: 'table is missing' }),
      );
      for (const name of ['migrate_batch', 'prepare_migration', 'dry_run_migration']) {
        expect(await refusal(call(db.sql, name, { plan }))).toMatchObject({ code: 'IM006' });
      }
      expect(await appColumns(db.sql)).toEqual({});
    });

    test('a dry run reports what the real run then does, and leaves nothing', async () => {
      const { sql } = await freshApp();
      const dry = await call(sql, 'dry_run_migration', { plan, mode: 'full' });
      expect(dry.problems.filter(({ severity }: Answer) => severity === 'error')).toEqual([]);
      expect(dry).toMatchObject({ dry_run: true, status: 'done', undeclared: [], failed: 0, failures: [] });
      expect(await appColumns(sql)).toEqual(original);
      expect(await rowsOf(sql, original)).toEqual(app);
      expect(dry.migrated).toBeGreaterThan(0);
      expect(totals([dry])).toEqual(totals(await forward(sql)));
    });

    test('forward and back leave every row as it was, twice; what is moved is not moved again', async () => {
      const { sql, columns, rows, pending } = await prepared();
      for (let round = 0; round < 2; round++) {
        await forward(sql);
        await expectProgress(sql, pending, 0);
        const moved = await rowsOf(sql, columns);
        expect(moved).not.toEqual(rows);
        expect(totals(await migrateAll(sql, { plan }))).toEqual({ migrated: 0, failed: 0, rows: {} });
        expect(await rowsOf(sql, columns)).toEqual(moved);
        await back(sql);
        await expectProgress(sql, 0, pending);
        expect(await rowsOf(sql, columns)).toEqual(rows);
      }
    });

    testOnce('without a journal it is counted just the same', async () => {
      const { sql, pending } = await prepared();
      await call(sql, 'migrate_batch', { ...small, backup: false });
      const left = await pendingOf(sql, plan);
      await expectProgress(sql, pending - left, left);
      while ((await call(sql, 'migrate_batch', { plan, backup: false })).has_more);
      await expectProgress(sql, pending, 0);
    });

    testOnce('half-way: what is moved is whole, and goes back', async () => {
      const { sql, columns, rows, pending } = await prepared();
      for (let done = 0; done < pending / 2; ) done += (await call(sql, 'migrate_batch', small)).migrated;
      const left = await pendingOf(sql, plan);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(pending / 2);
      await expectProgress(sql, pending - left, left);
      const differing = await sql.unsafe(
        `select entity from (${fixture.differing}) d
         where entity is null or entity::text not in (${await pendingQuery(sql, plan)})`,
      );
      expect([...differing]).toEqual([]);
      await back(sql);
      await expectProgress(sql, 0, pending);
      expect(await rowsOf(sql, columns)).toEqual(rows);
    });

    testOnce('20 callers move each entity once, and take each back once', async () => {
      const { db, sql, columns, rows, pending } = await prepared();
      const answers = await callAtOnce(db, 20, 'migrate_batch', { plan, batch_size: 3 });
      expect(total(answers, 'migrated')).toBe(pending);
      expect(total(answers, 'failed')).toBe(0);
      await expectMigrated(sql);
      const returns = await callAtOnce(db, 20, 'rollback_batch', { plan });
      expect(total(returns, 'rolled_back')).toBe(pending);
      await expectNoTraces(sql, plan);
      expect(await rowsOf(sql, columns)).toEqual(rows);
    });

    test('a caller that is killed takes its batch with it, forward and back', async () => {
      const { db, sql, columns, rows } = await prepared();
      await killInBatch(db, 'migrate_batch', small);
      expect(await rowsOf(sql, columns)).toEqual(rows);
      await forward(sql);
      const moved = await rowsOf(sql, columns);
      await killInBatch(db, 'rollback_batch', { plan, max_ms: 1 });
      expect(await rowsOf(sql, columns)).toEqual(moved);
      await back(sql);
      expect(await rowsOf(sql, columns)).toEqual(rows);
    });

    test('one entity that cannot be moved is set aside alone, and moved once it is mended', async () => {
      const { sql, columns, rows } = await prepared();
      const key = await value<string>(
        sql,
        `select entity::text from ${plan}.pending order by entity offset (select count(*) / 2 from ${plan}.pending) limit 1`,
      );
      await (fixture.poison ?? poison)(sql, key, plan);
      expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({ status: 'done', state: 'failed' });
      expect(await setAside(sql, plan)).toEqual([{ entity: key, kind: 'failed' }]);
      expect(await pendingOf(sql, plan)).toBe(1);
      await (fixture.mend ?? mend)(sql, key, plan);
      await call(sql, 'retry_failed_migrations', { plan });
      await forward(sql);
      await back(sql);
      expect(await rowsOf(sql, columns)).toEqual(rows);
    });

    test('once moved, what the app writes on one side is on the other in the same transaction, and no conflict', async () => {
      const { db, sql, added, blank } = await prepared();
      await forward(sql);
      for (const [n, writer] of agreeing.entries()) {
        await db.connect().begin(async (tx) => {
          await writer.write(tx, 7 * n + 1);
          expect([writer.name, ...(await tx.unsafe(fixture.differing))]).toEqual([writer.name]);
        });
      }
      expect(await pendingOf(sql, plan)).toBe(0);
      await expectAll(sql, 'migrated');
      const written = await rowsOf(sql, original, fixture.made);
      await back(sql);
      await expectAll(sql, 'pending');
      expect(await rowsOf(sql, original, fixture.made)).toEqual(written);
      await expectBlank(sql, added, blank);
    });

    test.runIf(disputing.length > 0)(
      'what people changed stays when the rest goes back, until forced',
      async () => {
        const { sql, added, blank } = await prepared();
        await forward(sql);
        for (const [n, writer] of disputing.entries()) await writer.write(sql, 7 * n + 1);
        const written = await rowsOf(sql, original, fixture.made);
        const last = (await rollbackAll(sql, { plan })).at(-1);
        expect(last).toMatchObject({ status: 'done', state: 'failed', conflicts: disputing.length });
        expect(await setAside(sql, plan)).toEqual(
          disputing.map(() => ({ entity: expect.any(String), kind: 'conflict' })),
        );
        await back(sql, true);
        expect(await rowsOf(sql, original, fixture.made)).toEqual(written);
        await expectBlank(sql, added, blank);
      },
    );

    testOnce(
      'the app goes on writing on both sides: none of its writes fails, and the sides end equal',
      async () => {
        const { db, sql, added, blank } = await prepared();
        await whileWriting(db, fixture.writers, () => callAtOnce(db, 3, 'migrate_batch', small));
        // Who was locked too often is tried again.
        if ((await setAside(sql, plan)).length > 0) await call(sql, 'retry_failed_migrations', { plan });
        await forward(sql);
        await expectAll(sql, 'migrated');
        await whileWriting(
          db,
          fixture.writers.filter(({ side }) => side === 'old'),
          () => callAtOnce(db, 3, 'rollback_batch', { plan, force: true, max_ms: 1 }),
        );
        await back(sql, true);
        await expectAll(sql, 'pending');
        if (disputing.length === 0) await expectBlank(sql, added, blank);
      },
    );

    test('finalize refuses while somebody is left, closes the way back, and loses no row', async () => {
      const { sql } = await prepared();
      await call(sql, 'migrate_batch', small);
      expect(await refusal(finalize(sql, plan))).toMatchObject({ code: 'IM038' });
      await forward(sql);
      const counts = await rowCounts(sql);
      expect((await finalize(sql, plan)).at(-1)).toMatchObject({ state: 'finalized', has_more: false });
      // A table may go; one that stays keeps its rows.
      for (const [table, count] of Object.entries(await rowCounts(sql))) {
        expect([table, counts[table] ?? count]).toEqual([table, count]);
      }
      expect(await refusal(call(sql, 'rollback_batch', { plan }))).toMatchObject({ code: 'IM039' });
      expect(await call(sql, 'migrate_batch', { plan })).toMatchObject({ status: 'done', has_more: false });
      expect((await finalize(sql, plan)).at(-1)).toMatchObject({ state: 'finalized', has_more: false });
      await fixture.finalized?.(sql);
    });

    testOnce('says what each of its objects is for, and opens none to the API', async () => {
      const { sql } = await prepared();
      expect(await careless(sql, plan)).toEqual([]);
    });
  });
}

/** How many rows each table of the app has. */
async function rowCounts(sql: Sql): Promise<Record<string, number>> {
  const rows = await rowsOf(sql, await appColumns(sql));
  return Object.fromEntries(Object.entries(rows).map(([table, { length }]) => [table, length]));
}

/** The columns that are in one and not in the other; tables of which none is left out. */
function without(columns: Columns, others: Columns): Columns {
  const rest = Object.entries(columns).map(([table, names]): [string, string[]] => [
    table,
    names.filter((name) => !others[table]?.includes(name)),
  ]);
  return Object.fromEntries(rest.filter(([, names]) => names.length > 0));
}

/** What the plan has added holds nothing that it did not hold when it was prepared. */
async function expectBlank(sql: Sql, added: Columns, blank: Rows): Promise<void> {
  const left: Rows = {};
  for (const [table, rows] of Object.entries(await rowsOf(sql, added))) {
    const foreign = rows.filter((row) => !blank[table]?.includes(row));
    if (foreign.length > 0) left[table] = foreign;
  }
  expect(left).toEqual({});
}

/** SQL: the entities that are still to be moved, of all stages. */
async function pendingQuery(sql: Sql, plan: string): Promise<string> {
  return await value(
    sql,
    `select string_agg(format('select entity::text from %s', imago.plan_object(s, 'pending')), ' union all ')
     from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = '${plan}'`,
  );
}

/** How many entities are still to be moved. */
async function pendingOf(sql: Sql, plan: string): Promise<number> {
  return await value(sql, `select count(*)::int from (${await pendingQuery(sql, plan)}) left_over`);
}

/** Who is set aside, and why. */
async function setAside(sql: Sql, plan: string): Promise<unknown[]> {
  return [...(await sql`select entity, kind from imago.failure where plan = ${plan} order by entity`)];
}

/** What a whole run did: rows per relation, and entities moved and set aside. */
function totals(answers: (BatchResult | Answer)[]): { migrated: number; failed: number; rows: object } {
  const rows: Record<string, number> = {};
  for (const answer of answers) {
    for (const [relation, count] of Object.entries<number>(answer.rows)) {
      rows[relation] = (rows[relation] ?? 0) + count;
    }
  }
  const sum = (field: string) => answers.reduce((so, answer) => so + Number(answer[field] ?? 0), 0);
  return { migrated: sum('migrated'), failed: sum('failed'), rows };
}

/** The journal holds one row for each row that a batch wrote, and nothing that is not settled. */
async function expectOneRowEach(sql: Sql, plan: string): Promise<void> {
  const writes = await sql<{ undo: string; keys: string }[]>`
    select undo_table as undo, (select string_agg('key_' || n, ', ') from generate_series(1, cardinality(key_columns)) n) as keys
    from imago.plan_write where plan = ${plan}`;
  expect(writes.length).toBeGreaterThan(0);
  for (const { undo, keys } of writes) {
    const wrong = await sql`
      select batch from imago_undo.${sql(undo)}
      group by batch, ${sql.unsafe(keys)} having count(*) > 1 or bool_or(op not in ('i', 'u'))`;
    expect([undo, ...wrong]).toEqual([undo]);
  }
}

/** Objects of a plan without a comment, functions without an empty search path, and what the API's roles may use. */
async function careless(sql: Sql, plan: string): Promise<string[]> {
  const rows = await sql<{ fault: string }[]>`
    with routines as (
      select p.oid, p.oid::regprocedure::text as name,
        -- An expression that is to be inlined can have no settings, and looks nothing up.
        'search_path=""' = any (p.proconfig) or p.provolatile = 'i' and l.lanname = 'sql' as closed
      from pg_proc p join pg_language l on l.oid = p.prolang where p.pronamespace = ${plan}::regnamespace
    ), relations as (
      select c.oid, c.oid::regclass::text as name
      from pg_class c
      where c.relnamespace = ${plan}::regnamespace and c.relkind in ('r', 'v', 'm')
         or c.oid in (select to_regclass(format('imago_undo.%I', w.undo_table)) from imago.plan_write w where w.plan = ${plan})
    ), roles as (
      select unnest(array['anon', 'authenticated']) as role
    )
    select name || ' has no comment' as fault from routines where obj_description(oid, 'pg_proc') is null
    union all select name || ' has no empty search_path' from routines where closed is not true
    union all select format('%s may execute %s', role, name) from routines, roles where has_function_privilege(role, oid, 'execute')
    union all select name || ' has no comment' from relations where obj_description(oid, 'pg_class') is null
    union all select format('%s may read %s', role, name) from relations, roles where has_table_privilege(role, oid, 'select')
    union all select format('schema %s has no comment', ${plan}::text) where obj_description(${plan}::regnamespace, 'pg_namespace') is null
    union all select format('%s may use schema %s', role, ${plan}::text) from roles where has_schema_privilege(role, ${plan}, 'usage')
    order by 1`;
  return rows.map(({ fault }) => fault);
}
