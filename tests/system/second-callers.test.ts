/** Two callers at the moment when a run turns: nobody gets an error for being second. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { rollbackAll } from '../support/imago.ts';
import { createPlan, PLAN } from '../support/plan.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** A plan half-way. */
async function halfWay(): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(`
    create table public.items (id int primary key, label text);
    insert into public.items (id) select generate_series(1, 40);`);
  await createPlan(db.sql, {
    table: 'items',
    key: 'id',
    keyType: 'integer',
    pending: 's.label is null',
    apply: "update public.items set label = 'x' where id = any (keys) and label is null;",
    writes: [{ relation: 'public.items', entity: 'id', columns: ['label'] }],
  });
  while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
  await call(db.sql, 'migrate_batch', { plan: PLAN, batch_size: 5, max_ms: 1 });
  expect(await value(db.sql, 'select count(label)::int from public.items')).toBeLessThan(40);
  return db;
}

type Asked = [name: string, args?: Record<string, unknown>];
const ask = (sql: Sql, [name, args]: Asked) => call(sql, name, { plan: PLAN, ...args });

/** The first has done its call and not committed; the second waits for it; then the first commits. */
async function together(db: TestDatabase, first: Asked, second: Asked): Promise<[Answer, Answer]> {
  const [one, other] = [db.connect({ max: 1 }), db.connect({ max: 1 })];
  const pid = await pidOf(other);
  await one`begin`;
  const answer = await ask(one, first);
  const waiting = ask(other, second).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const settled = waiting.then(() => true);
  await Promise.race([untilBlocked(db.sql, pid), settled]);
  await one`commit`;
  const outcome = await waiting;
  if ('error' in outcome) throw outcome.error;
  return [answer, outcome.value];
}

describe('two callers', () => {
  test('of rollback_batch when a half-way run turns round: the second works on the same rollback', async () => {
    const db = await halfWay();
    const [first, second] = await together(db, ['rollback_batch', { max_ms: 1 }], ['rollback_batch']);
    expect(second.direction).toBe('rollback');
    expect(second.run).toBe(first.run);
    await rollbackAll(db.sql, { plan: PLAN });
    expect([...(await db.sql`select direction, state from imago.run order by id limit 2`)]).toEqual([
      { direction: 'forward', state: 'cancelled' },
      { direction: 'rollback', state: 'succeeded' },
    ]);
  });

  test('of rollback_batch when the first takes back the rest: the second hears that it is done, and begins no other', async () => {
    const db = await halfWay();
    const [first, second] = await together(db, ['rollback_all_migrations'], ['rollback_batch']);
    expect(first.status).toBe('done');
    expect(second).toMatchObject({ status: 'done', direction: 'rollback', run: first.run });
    expect(await value(db.sql, 'select count(*)::int from imago.run')).toBe(2);
  });

  test('of rollback_batch when all is moved, and the first takes all back: the second hears that it is done', async () => {
    const db = await halfWay();
    while ((await call(db.sql, 'migrate_batch', { plan: PLAN })).has_more);
    const [first, second] = await together(db, ['rollback_all_migrations'], ['rollback_batch']);
    expect(second).toMatchObject({ status: 'done', direction: 'rollback', run: first.run });
    expect(await value(db.sql, 'select count(*)::int from imago.run')).toBe(2);
  });

  test('of migrate_batch and rollback_batch: the forward caller hears that its run has been taken over', async () => {
    const db = await halfWay();
    const run = Number(await value(db.sql, 'select id from imago.run'));
    const [, second] = await together(db, ['rollback_batch', { max_ms: 1 }], ['migrate_batch', { run }]);
    expect(['busy', 'cancelled']).toContain(second.status);
  });

  test.each([
    [['pause_migration'], ['pause_migration'], 'paused'],
    [['cancel_migration'], ['cancel_migration'], 'cancelled'],
  ] as [Asked, Asked, string][])(
    'of %s: the second gets the state that the first has made',
    async (one, other, state) => {
      const db = await halfWay();
      const [first, second] = await together(db, one, other);
      expect([first.state, second.state]).toEqual([state, state]);
      // Who asks later is told as before that this cannot be done.
      expect(await refusal(ask(db.sql, other))).toMatchObject({ code: 'IM008' });
    },
  );

  test('of resume_migration: the second hears that the run is running', async () => {
    const db = await halfWay();
    await call(db.sql, 'pause_migration', { plan: PLAN });
    const [first, second] = await together(db, ['resume_migration'], ['resume_migration']);
    expect([first.state, second.state]).toEqual(['running', 'running']);
  });

  test('of retry_failed_migrations: the second hears that the run is running', async () => {
    const db = await halfWay();
    await db.sql`update imago.run set state = 'failed', error_code = 'IM021', error_detail = '{42P01}'`;
    const [first, second] = await together(db, ['retry_failed_migrations'], ['retry_failed_migrations']);
    expect([first.state, second.state]).toEqual(['running', 'running']);
  });

  test('of retry_failed_migrations while the first begins another run: the second is told to come again', async () => {
    const db = await halfWay();
    await db.sql`update imago.run set state = 'failed', error_code = 'set_aside'`;
    await expect(
      together(db, ['migrate_batch', { batch_size: 5, max_ms: 1 }], ['retry_failed_migrations']),
    ).rejects.toMatchObject({ code: 'IM016' });
  });

  test('of migrate_batch when the first begins a run that stops at once: the second hears that, and begins no other', async () => {
    const db = await halfWay();
    await rollbackAll(db.sql, { plan: PLAN });
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    await db.sql.unsafe(`
      create or replace function ${PLAN}.apply(keys integer[]) returns void language plpgsql set search_path = '' as
        $$ begin update public.gone set label = 'x'; end $$`);
    const [first, second] = await together(db, ['migrate_batch'], ['migrate_batch']);
    expect(first).toMatchObject({ status: 'failed', error: { code: 'IM021' } });
    expect(second).toMatchObject({ status: 'failed', run: first.run, error: { code: 'IM021' } });
  });

  test('who both meet a trigger of the app that came after prepare: one keeps it from the last word, for both', async () => {
    const db = await halfWay();
    await db.sql.unsafe(`
      create function public.late() returns trigger language plpgsql as 'begin return new; end';
      create trigger late before update on public.items for each row execute function public.late()`);
    const [one, other] = [db.connect({ max: 1 }), db.connect({ max: 1 })];
    const keep = (sql: Sql) => value<string>(sql, `select imago.keep_late_triggers('${PLAN}')`);
    const pid = await pidOf(other);
    await one`begin`;
    expect(await keep(one)).toBe('built');
    const waiting = keep(other);
    await Promise.race([untilBlocked(db.sql, pid), waiting]);
    await one`commit`;
    expect(['none', 'deferred']).toContain(await waiting);
  });

  test('one pauses while the other turns the run round: the rollback is paused', async () => {
    const db = await halfWay();
    const [first, second] = await together(db, ['rollback_batch', { max_ms: 1 }], ['pause_migration']);
    expect(second).toMatchObject({ state: 'paused', direction: 'rollback', run: first.run });
  });

  test('one turns the run round while the other pauses it: the rollback begins', async () => {
    const db = await halfWay();
    const [, second] = await together(db, ['pause_migration'], ['rollback_batch', { max_ms: 1 }]);
    expect(second).toMatchObject({ direction: 'rollback', state: 'running' });
  });

  test('one cancels while the other rolls back: the rollback begins', async () => {
    const db = await halfWay();
    const [, second] = await together(db, ['cancel_migration'], ['rollback_batch', { max_ms: 1 }]);
    expect(second).toMatchObject({ direction: 'rollback', state: 'running' });
  });

  test('of migrate_batch when the first begins a run: the second goes on with it', async () => {
    const db = await halfWay();
    await rollbackAll(db.sql, { plan: PLAN });
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    const [first, second] = await together(
      db,
      ['migrate_batch', { batch_size: 5, max_ms: 1 }],
      ['migrate_batch', { batch_size: 5, max_ms: 1 }],
    );
    expect(['busy', 'working']).toContain(second.status);
    expect([null, first.run]).toContain(second.run);
  });

  test('one entity moved by hand while a run begins: it is moved, in that run', async () => {
    const db = await halfWay();
    await rollbackAll(db.sql, { plan: PLAN });
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    const [first, second] = await together(
      db,
      ['migrate_batch', { batch_size: 5, max_ms: 1 }],
      ['migrate_entity', { entity: '39' }],
    );
    expect(second).toMatchObject({ migrated: true, run: first.run });
  });

  test.each([['finalize_migration'], ['cleanup_migration']] as Asked[])(
    'of %s: the second is told to wait',
    async (name) => {
      const db = await halfWay();
      while ((await call(db.sql, 'migrate_batch', { plan: PLAN })).has_more);
      if (name === 'cleanup_migration')
        while ((await call(db.sql, 'finalize_migration', { plan: PLAN })).has_more);
      const args = name === 'cleanup_migration' ? { older_than: '0' } : {};
      const [first, second] = await together(db, [name, args], [name, args]);
      expect(first.has_more).toBe(true);
      expect(second).toMatchObject({ state: 'busy', has_more: true });
    },
  );
});
