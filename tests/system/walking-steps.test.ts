/** Steps of finalize that walk a table, and the look for what is pending: in pieces, over as many calls as it takes. */
import { afterEach, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { finalizeAll, itemsPlan, type Step } from '../support/finalize.ts';
import { migrateAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Forty items, migrated; the next call of finalize does the walking step, ten rows at first, behind one that makes its table. */
async function walking(step: Partial<Step>, size = 10): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await itemsPlan(db.sql, [
    {
      name: 'table',
      body: 'create table if not exists public.seen (id integer primary key);',
      reversible: true,
    },
    {
      name: 'walk',
      source: 'public.items',
      reversible: true,
      body: 'insert into public.seen select unnest(keys);',
      ...step,
    },
  ]);
  await db.sql`update imago.plan_step set size = ${size} where plan = ${PLAN} and name = 'walk'`;
  await finalize(db);
  expect((await finalize(db)).step).toBe('table');
  return db;
}

const finalize = (db: { sql: TestDatabase['sql'] }): Promise<Answer> =>
  call(db.sql, 'finalize_migration', { plan: PLAN });

const seen = async (db: TestDatabase) => Number(await value(db.sql, 'select count(*) from seen'));

/** Finalize until the walking step is done; its answers. */
async function walk(db: TestDatabase, caller = db.sql): Promise<Answer[]> {
  const answers: Answer[] = [];
  do answers.push(await finalize({ sql: caller }));
  while (answers.at(-1)?.state !== 'finalizing' && answers.length < 100);
  return answers;
}

test('a walking step has each row once, by key, over as many calls as the statement timeout asks for', async () => {
  const db = await walking({
    returns: 'jsonb',
    body: `insert into public.seen select unnest(keys); perform pg_sleep(0.02 * cardinality(keys));
           return jsonb_build_object('warnings', array[keys[1] || ' to ' || keys[cardinality(keys)]]);`,
  });
  const caller = db.connect();
  await caller`set statement_timeout = '600ms'`;
  const answers = await walk(db, caller);
  expect(answers.length).toBeGreaterThan(1);
  expect(answers.slice(0, -1).every(({ state, step }) => state === 'working' && step === 'walk')).toBe(true);
  const percentages = answers.slice(0, -1).map(({ percentage }) => percentage);
  expect(percentages).toEqual([...percentages].sort((a, b) => a - b));
  const pieces = answers.flatMap(({ warnings }) => warnings as string[]);
  expect([pieces[0]?.split(' ')[0], pieces.at(-1)?.split(' ').at(-1)]).toEqual(['1', '40']);
  expect(await seen(db)).toBe(40);
});

test('a walking step whose piece does not fit the statement timeout cuts it smaller; one row alone is too much', async () => {
  const db = await walking(
    { body: `insert into public.seen select unnest(keys); perform pg_sleep(0.15 * cardinality(keys));` },
    40,
  );
  const caller = db.connect();
  await caller`set statement_timeout = '2500ms'`;
  await walk(db, caller);
  expect(await seen(db)).toBe(40);

  const stuck = await walking({ body: 'perform pg_sleep(30);' }, 1);
  const impatient = stuck.connect();
  await impatient`set statement_timeout = '1500ms'`;
  expect(await refusal(finalize({ sql: impatient }))).toMatchObject({
    code: 'IM058',
    message: 'step walk of plan trial does not fit the statement timeout',
  });
});

test('a walking step waits shortly for a row that somebody has, and keeps what came before it', async () => {
  const db = await walking({
    body: `update public.items set fresh = fresh where id = any (keys); insert into public.seen select unnest(keys);`,
  });
  const other = db.connect();
  await other`begin`;
  await other`update items set fresh = fresh where id = 15`;
  expect(await finalize(db)).toMatchObject({ state: 'working', step: 'walk' });
  expect(await seen(db)).toBe(10);
  expect(await finalize(db)).toMatchObject({ state: 'busy', step: 'walk' });
  await other`commit`;
  await walk(db);
  expect(await seen(db)).toBe(40);
});

test('a walking step whose call is killed is gone on with by the next call', async () => {
  const db = await walking({
    body: `insert into public.seen select unnest(keys); if 15 = any (keys) then perform from public.gate for update; end if;`,
  });
  await db.sql`create table gate as select 1 as closed`;
  const [other, caller] = [db.connect(), db.connect()];
  await other`begin`;
  await other`select from gate for update`;
  const pid = await pidOf(caller);
  const dying = expect(finalize({ sql: caller })).rejects.toThrow();
  await untilBlocked(db.sql, pid);
  await db.sql`select pg_terminate_backend(${pid})`;
  await dying;
  await other`commit`;
  expect(await seen(db)).toBe(0);
  await walk(db);
  expect(await seen(db)).toBe(40);
});

test('a walking step walks from the start when finalize begins again', async () => {
  const db = await walking({
    body: `insert into public.seen select unnest(keys) on conflict do nothing; perform pg_sleep(0.1 * cardinality(keys));`,
  });
  const caller = db.connect();
  await caller`set statement_timeout = '1500ms'`;
  expect((await finalize({ sql: caller })).state).toBe('working');
  await db.sql`insert into items values (0, 'before them all')`;
  await migrateAll(db.sql, { plan: PLAN });
  await finalizeAll(db.sql, { plan: PLAN });
  expect(await value(db.sql, 'select min(id) || $1 || count(*) from seen', ['/'])).toBe('0/41');
});

test('finalize looks for pending entities over several calls, and refuses when one turns up', async () => {
  const db = await freshDatabase();
  databases.push(db);
  await itemsPlan(db.sql);
  await db.sql`
    insert into items select i, 'value ' || i, 'value ' || i from generate_series(41, 4000) i`;
  // Slow for each row, pending or not.
  await db.sql`
    create or replace view trial.pending as
    select s.id as entity from public.items s
    where case when pg_sleep(0.0003) is not null then s.old is not null and s.fresh is null end`;
  const caller = db.connect();
  await caller`set statement_timeout = '500ms'`;
  const answers: Answer[] = [];
  do answers.push(await finalize({ sql: caller }));
  while (answers.at(-1)?.state === 'checking' && answers.length < 100);
  expect(answers.length).toBeGreaterThan(2);
  expect(answers.at(-1)?.state).toBe('finalizing');

  await db.sql`update imago.plan set finalizing_at = null, checked_at = null`;
  await db.sql`update items set fresh = null where id in (3990, 3991)`;
  await until('it is found', async () => {
    const error = await finalize({ sql: caller }).then(
      () => undefined,
      (raised) => raised,
    );
    if (error)
      expect([error.code, error.message]).toEqual([
        'IM038',
        expect.stringContaining('2 items pending (3990, 3991)'),
      ]);
    return error !== undefined;
  });
});
