/** What every plan has to keep, whatever it does: a check for each promise, on the app of its fixture. */
import assert from 'node:assert/strict';
import type { Sql } from 'postgres';
import { type Answer, call, callOut } from '../act.ts';
import { callAtOnce, callToEnd, type Database, step, total } from './callers.ts';
import { killInBatch, mend, poison } from './faults.ts';
import type { Fixture } from './fixture.ts';
import { whileWriting } from './live.ts';
import {
  careless,
  expectBlank,
  expectFields,
  expectNoTraces,
  expectOneRowEach,
  hasSources,
  pendingOf,
  pendingQuery,
  rowCounts,
  setAside,
  totals,
  without,
} from './looks.ts';
import {
  appColumns,
  type Columns,
  type Rows,
  rowsOf,
  sharedRows,
  sorted,
  value,
  withoutPlan,
} from './rows.ts';
import { finalize, prepare } from './steps.ts';

/** One promise. */
export interface Check {
  /** What it says, for people. */
  title: string;
  /** Whether it is the same on every PostgreSQL, and takes long. */
  onceIsEnough: boolean;
  /** Throws where the promise is broken. */
  run(): Promise<void>;
}

/** Where the checks get their databases from, a new one at each call. */
export interface Place {
  /** The engine, the plan and nothing else. */
  bare(): Promise<Database>;
  /** The app with its rows as well; nobody has migrated it. */
  app(): Promise<Database>;
  /** Another one of them as it is, which nobody is connected to. */
  copy(name: string): Promise<Database>;
  /** What else must hold of the figures that people are shown. */
  figures?(sql: Sql, plan: string): Promise<unknown>;
}

/** What an app holds once the plan is prepared. */
interface Held {
  columns: Columns;
  rows: Rows;
  /** What prepare has added, with what stands in it: columns by table, and tables. */
  added: Columns;
  blank: Rows;
  pending: number;
}

/** An app with the plan prepared. */
interface Prepared extends Held {
  db: Database;
  sql: Sql;
}

/** Small batches, so that there are many. */
const small = { batch_size: 3, max_ms: 1 };

/** The checks of a plan. Those who run them may stop between any two. */
export function checksOf(plan: string, fixture: Fixture, place: Place): Check[] {
  const { outside } = fixture;
  const agreeing = fixture.writers.filter(({ conflicts }) => !conflicts);
  const disputing = fixture.writers.filter(({ conflicts }) => conflicts);
  const made: Database[] = [];
  let origin: Promise<{ columns: Columns; rows: Rows }> | undefined;
  let model: Promise<{ name: string; held: Held }> | undefined;

  async function keep(making: Promise<Database>): Promise<Database> {
    const db = await making;
    made.push(db);
    return db;
  }

  /** The app before anybody has migrated it. */
  async function original(): Promise<{ columns: Columns; rows: Rows }> {
    origin ??= keep(place.app()).then(async ({ sql }) => {
      const columns = await appColumns(sql);
      return { columns, rows: await rowsOf(sql, columns) };
    });
    return await origin;
  }

  /** A copy of the one that is prepared, which takes far longer. */
  async function prepared(): Promise<Prepared> {
    model ??= prepareModel();
    const { name, held } = await model;
    const db = await keep(place.copy(name));
    return { ...held, db, sql: db.sql };
  }

  async function prepareModel(): Promise<{ name: string; held: Held }> {
    const app = await original();
    const { name, sql } = await place.app();
    const held = await prepareApp(sql, app);
    await sql.end();
    return { name, held };
  }

  async function prepareApp(sql: Sql, app: { columns: Columns; rows: Rows }): Promise<Held> {
    await prepare(sql, plan);
    assert.deepEqual(await rowsOf(sql, app.columns), app.rows, 'preparing leaves every row as it was');
    const columns = await appColumns(sql);
    const added = without(columns, app.columns);
    const pending = await pendingOf(sql, plan);
    assert.ok(pending > 0, 'rows are pending');
    await expectProgress(sql, 0, pending);
    return {
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
    expectFields(await call(sql, 'get_detailed_migration_progress', { plan }), {
      ...figures,
      pending_users: pending,
      total_is_estimate: false,
    });
    expectFields(await call(sql, 'get_migration_statistics', { plan }), {
      ...figures,
      users_needing_migration: pending,
    });
    await place.figures?.(sql, plan);
  }

  /** However many the app has made meanwhile. */
  async function expectAll(sql: Sql, are: 'migrated' | 'pending'): Promise<void> {
    const { total: all } = await call(sql, 'get_detailed_migration_progress', { plan });
    assert.ok(all > 0, 'the plan concerns somebody');
    await (are === 'migrated' ? expectProgress(sql, all, 0) : expectProgress(sql, 0, all));
  }

  /** Runs it to its end, where nothing may be left. */
  async function forward(sql: Sql): Promise<Answer[]> {
    const answers = await callToEnd(sql, 'migrate_batch', { plan }, outside);
    assert.deepEqual(await setAside(sql, plan), [], 'nobody is set aside');
    expectFields(answers.at(-1), { status: 'done', state: 'succeeded', error: null });
    await expectMigrated(sql);
    return answers;
  }

  async function expectMigrated(sql: Sql): Promise<void> {
    assert.equal(await pendingOf(sql, plan), 0, 'nobody is pending');
    await expectEqualSides(sql);
    const answer = await callOut(sql, 'validate_migration', { plan });
    const found = answer.checks.filter((check: Answer) => check.found > 0);
    assert.deepEqual(
      answer.healthy ? [] : found.map((check: Answer) => `${check.name} finds ${check.found}`),
      [],
      'the checks find nothing',
    );
    assert.equal(answer.healthy, true, 'the checks find the plan healthy');
    await expectOneRowEach(sql, plan);
  }

  async function expectEqualSides(sql: Sql, after = 'moving'): Promise<void> {
    assert.deepEqual([...(await sql.unsafe(fixture.differing))], [], `both sides are equal after ${after}`);
  }

  /** Takes it back, where nothing may be in conflict. */
  async function back(sql: Sql, force = false): Promise<void> {
    const answers = await callToEnd(sql, 'rollback_batch', { plan, force });
    assert.deepEqual(await setAside(sql, plan), [], 'nobody is set aside');
    expectFields(answers.at(-1), { status: 'done', state: 'succeeded', conflicts: 0, error: null });
    await expectNoTraces(sql, plan);
  }

  async function expectRows(sql: Sql, columns: Columns, rows: Rows, when: string): Promise<void> {
    assert.deepEqual(await rowsOf(sql, columns), rows, `every row is as it was ${when}`);
  }

  const checks: Omit<Check, 'onceIsEnough'>[] = [
    {
      title: 'looks at an app without its tables, and refuses by name',
      async run() {
        const { sql } = await keep(place.bare());
        const looked = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
        const missing = looked.problems.filter(
          ({ severity, kind }: Answer) => severity === 'error' && kind === 'missing_relation',
        );
        const refuses = missing.length > 0;
        // A plan that walks a table of Supabase, and makes those that it writes, finds all that it needs in any project.
        assert.ok(refuses || (await hasSources(sql, plan)), 'the preflight names the table that is missing');
        for (const name of ['migrate_batch', 'prepare_migration', 'dry_run_migration']) {
          if (refuses) await assert.rejects(call(sql, name, { plan }), { code: 'IM006' });
        }
        assert.deepEqual(await appColumns(sql), {}, 'nothing was made');
      },
    },
    {
      title: 'a dry run reports what the real run then does, and leaves nothing',
      async run() {
        const app = await original();
        const { sql } = await keep(place.app());
        const dry = await call(sql, 'dry_run_migration', { plan, mode: 'full' });
        assert.deepEqual(
          dry.problems.filter(({ severity }: Answer) => severity === 'error'),
          [],
        );
        expectFields(dry, { dry_run: true, status: 'done', undeclared: [], failed: 0, failures: [] });
        assert.deepEqual(await appColumns(sql), app.columns, 'no column or table is left');
        await expectRows(sql, app.columns, app.rows, 'before');
        assert.ok(dry.migrated > 0, 'somebody was moved');
        assert.deepEqual(totals([dry]), totals(await forward(sql)));
      },
    },
    {
      title: 'forward and back leave every row as it was, twice; what is moved is not moved again',
      async run() {
        const { sql, columns, rows, pending } = await prepared();
        for (let round = 0; round < 2; round++) {
          await forward(sql);
          await expectProgress(sql, pending, 0);
          const moved = await rowsOf(sql, columns);
          if (!fixture.still) assert.notDeepEqual(moved, rows, 'something was written');
          assert.deepEqual(totals(await callToEnd(sql, 'migrate_batch', { plan }, outside)), {
            migrated: 0,
            failed: 0,
            rows: {},
          });
          await expectRows(sql, columns, moved, 'before the second run');
          await back(sql);
          await expectProgress(sql, 0, pending);
          await expectRows(sql, columns, rows, 'before it was moved');
        }
      },
    },
    ...(fixture.expectations ?? []).map(({ name, wrong }) => ({
      title: name,
      async run() {
        const { sql } = await prepared();
        await forward(sql);
        assert.deepEqual([...(await sql.unsafe(wrong))], [], 'no row is wrong');
      },
    })),
    {
      title: 'without a journal it is counted just the same',
      async run() {
        const { sql, pending } = await prepared();
        await step(sql, 'migrate_batch', { plan, ...small, backup: false }, outside);
        const left = await pendingOf(sql, plan);
        await expectProgress(sql, pending - left, left);
        await callToEnd(sql, 'migrate_batch', { plan, backup: false }, outside);
        await expectProgress(sql, pending, 0);
      },
    },
    {
      title: 'half-way: what is moved is whole, and goes back',
      async run() {
        const { sql, columns, rows, pending } = await prepared();
        for (let done = 0; done < pending / 2; )
          done += (await step(sql, 'migrate_batch', { plan, ...small }, outside)).migrated;
        const left = await pendingOf(sql, plan);
        assert.ok(left > 0 && left <= pending / 2, `half of ${pending} are left: ${left}`);
        await expectProgress(sql, pending - left, left);
        const differing = await sql.unsafe(
          `select entity from (${fixture.differing}) d
           where entity is null or entity::text not in (${await pendingQuery(sql, plan)})`,
        );
        assert.deepEqual([...differing], [], 'the two sides of who is moved are equal');
        await back(sql);
        await expectProgress(sql, 0, pending);
        await expectRows(sql, columns, rows, 'before it was moved');
      },
    },
    {
      title: '20 callers move each entity once, and take each back once',
      async run() {
        const { db, sql, columns, rows, pending } = await prepared();
        const answers = await callAtOnce(db, 20, 'migrate_batch', { plan, batch_size: 3 }, outside);
        assert.equal(total(answers, 'migrated'), pending, 'each is moved once');
        assert.equal(total(answers, 'failed'), 0, 'nobody is set aside');
        await expectMigrated(sql);
        const shared = await sharedRows(sql, plan);
        const returns = await callAtOnce(db, 20, 'rollback_batch', { plan });
        assert.equal(total(returns, 'rolled_back'), pending + shared, 'each is taken back once');
        await expectNoTraces(sql, plan);
        await expectRows(sql, columns, rows, 'before it was moved');
      },
    },
    {
      title: 'a caller that is killed takes its batch with it, forward and back',
      async run() {
        const { db, sql, columns, rows } = await prepared();
        await killInBatch(db, 'migrate_batch', { plan, ...small });
        await expectRows(sql, columns, rows, 'before the batch');
        await forward(sql);
        const moved = await rowsOf(sql, columns);
        await killInBatch(db, 'rollback_batch', { plan, max_ms: 1 });
        await expectRows(sql, columns, moved, 'before the batch');
        await back(sql);
        await expectRows(sql, columns, rows, 'before it was moved');
      },
    },
    {
      title: 'one entity that cannot be moved is set aside alone, and moved once it is fixed',
      async run() {
        const { sql, columns, rows } = await prepared();
        const key = await value<string>(
          sql,
          `select entity::text from ${plan}.pending order by entity offset (select count(*) / 2 from ${plan}.pending) limit 1`,
        );
        const [known] = await sql<{ kept: string }[]>`
          select imago.canonical_key(p, ${key}) as kept from imago.plan p where p.name = ${plan}`;
        await (fixture.poison ?? poison)(sql, key, plan);
        const last = (await callToEnd(sql, 'migrate_batch', { plan }, outside)).at(-1);
        expectFields(last, { status: 'done', state: 'failed' });
        assert.deepEqual(await setAside(sql, plan), [{ entity: known?.kept, kind: 'failed' }]);
        assert.equal(await pendingOf(sql, plan), 1, 'one is pending');
        await (fixture.mend ?? mend)(sql, key, plan);
        await call(sql, 'retry_failed_migrations', { plan });
        await forward(sql);
        await back(sql);
        await expectRows(sql, columns, rows, 'before it was moved');
      },
    },
    {
      title:
        'once moved, what the app writes on one side is on the other in the same transaction, and no conflict',
      async run() {
        const app = await original();
        const { db, sql, added, blank } = await prepared();
        const before = await rowsOf(sql, app.columns, fixture.made);
        await forward(sql);
        const after = await rowsOf(sql, app.columns, fixture.made);
        for (const [n, writer] of agreeing.entries()) {
          await db.connect().begin(async (tx) => {
            await writer.write(tx, 7 * n + 1);
            await expectEqualSides(tx as unknown as Sql, `the app's write: ${writer.name}`);
          });
        }
        assert.equal(await pendingOf(sql, plan), 0, 'nobody is pending');
        await expectAll(sql, 'migrated');
        const written = await rowsOf(sql, app.columns, fixture.made);
        await back(sql);
        await expectAll(sql, 'pending');
        assert.deepEqual(
          sorted(await rowsOf(sql, app.columns, fixture.made)),
          withoutPlan(written, before, after),
          "the app's writes stay",
        );
        await expectBlank(sql, added, blank);
      },
    },
    ...(disputing.length === 0
      ? []
      : [
          {
            title: 'what people changed stays when the rest goes back, until forced',
            async run() {
              const app = await original();
              const { sql, added, blank } = await prepared();
              await forward(sql);
              for (const [n, writer] of disputing.entries()) await writer.write(sql, 7 * n + 1);
              const written = await rowsOf(sql, app.columns, fixture.made);
              const last = (await callToEnd(sql, 'rollback_batch', { plan })).at(-1);
              expectFields(last, { status: 'done', state: 'failed', conflicts: disputing.length });
              assert.deepEqual(
                (await setAside(sql, plan)).map(({ kind }) => kind),
                disputing.map(() => 'conflict'),
              );
              await back(sql, true);
              assert.deepEqual(
                await rowsOf(sql, app.columns, fixture.made),
                written,
                "the app's writes stay",
              );
              await expectBlank(sql, added, blank);
            },
          },
        ]),
    {
      title: 'the app goes on writing on both sides: none of its writes fails, and the sides end equal',
      async run() {
        const { db, sql, added, blank } = await prepared();
        await whileWriting(db, fixture.writers, () =>
          callAtOnce(db, 3, 'migrate_batch', { plan, ...small }, outside),
        );
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
    },
    {
      title: 'finalize refuses while somebody is left, closes the way back, and loses no row',
      async run() {
        const { sql } = await prepared();
        await step(sql, 'migrate_batch', { plan, ...small }, outside);
        await assert.rejects(finalize(sql, plan), { code: 'IM038' });
        await forward(sql);
        const counts = await rowCounts(sql);
        expectFields((await finalize(sql, plan)).at(-1), { state: 'finalized', has_more: false });
        // A table may go; one that stays keeps its rows.
        for (const [table, count] of Object.entries(await rowCounts(sql))) {
          assert.equal(count, counts[table] ?? count, `${table} has as many rows as before`);
        }
        await assert.rejects(call(sql, 'rollback_batch', { plan }), { code: 'IM039' });
        expectFields(await call(sql, 'migrate_batch', { plan }), { status: 'done', has_more: false });
        expectFields((await finalize(sql, plan)).at(-1), { state: 'finalized', has_more: false });
        await fixture.finalized?.(sql);
      },
    },
    {
      title: 'says what each of its objects is for, and opens none to the API',
      async run() {
        const { sql } = await prepared();
        assert.deepEqual(await careless(sql, plan), []);
      },
    },
  ];
  const held = checks.filter(
    ({ title }) => !(fixture.still && needsRows.has(title)) && !(outside && withoutOutside.has(title)),
  );
  return held.map(({ title, run }) => ({
    title,
    onceIsEnough: onceIsEnough.has(title),
    async run() {
      try {
        await run();
      } finally {
        await Promise.all(made.splice(0).map((db) => db.drop()));
      }
    },
  }));
}

/** What is tried on rows that are moved, one after the other. */
const needsRows = new Set([
  'half-way: what is moved is whole, and goes back',
  'one entity that cannot be moved is set aside alone, and moved once it is fixed',
]);

/** What cannot be tried where a stage is done outside, and why. */
export const withoutOutside: ReadonlyMap<string, string> = new Map([
  [
    'a dry run reports what the real run then does, and leaves nothing',
    'a dry run does not call the function',
  ],
  [
    'a caller that is killed takes its batch with it, forward and back',
    'the caller that would be killed works outside',
  ],
  [
    'once moved, what the app writes on one side is on the other in the same transaction, and no conflict',
    'a sync cannot call the function: new rows wait for the next run',
  ],
]);

const onceIsEnough = new Set([
  'looks at an app without its tables, and refuses by name',
  'without a journal it is counted just the same',
  'half-way: what is moved is whole, and goes back',
  '20 callers move each entity once, and take each back once',
  'the app goes on writing on both sides: none of its writes fails, and the sides end equal',
  'says what each of its objects is for, and opens none to the API',
]);
