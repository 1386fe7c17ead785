/** Stages that are done outside: claimed, handed out, written once they are back, through the journal. */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ExternalStage } from '../../functions/_shared/external.ts';
import { driveExternal } from '../../functions/_shared/external-driving.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshProject } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { createExternalPlan, EXTERNAL } from '../support/external.ts';
import { rollbackAll } from '../support/imago.ts';
import { contents } from '../support/plan.ts';

const plan = EXTERNAL;
const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** So many people, whose names have yet to be hashed outside. */
async function database(people: number): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await createExternalPlan(db.sql, people);
  return db;
}

/** Calls migrate_batch until it says something else than that it works. */
async function migrateUntilExternal(sql: Sql): Promise<Answer> {
  for (;;) {
    const answer = await call(sql, 'migrate_batch', { plan });
    if (!['working', 'preparing', 'deferred'].includes(answer.status)) return answer;
  }
}

const claim = (sql: Sql, batch_size: number, lease_ms = 60_000) =>
  call(sql, 'claim_entities', { plan, batch_size, lease_ms });
const keysOf = (claimed: Answer): string[] => claimed.entities.map(({ key }: Answer) => key);
const hashes = (claimed: Answer, but: string[] = []) =>
  Object.fromEntries(
    claimed.entities
      .filter(({ key }: Answer) => !but.includes(key))
      .map(({ key, row }: Answer) => [key, { hash: `#${row.name}` }]),
  );

/** Brings back what came of a claim, as often as it takes; gives the last answer with the counts of all. */
async function giveBack(
  sql: Sql,
  { token }: Answer,
  results: object,
  failures: object = {},
): Promise<Answer> {
  let [migrated, failed] = [0, 0];
  for (;;) {
    const answer = await call(sql, 'return_entities', { plan, token, results, failures });
    migrated += answer.migrated;
    failed += answer.failed;
    if (answer.left === 0 || !['working', 'busy', 'deferred', 'waiting'].includes(answer.status))
      return { ...answer, migrated, failed };
  }
}

/** Claims and returns until there is nothing to claim, and lets the run end. */
async function driveToEnd(sql: Sql): Promise<Answer> {
  for (;;) {
    const answer = await migrateUntilExternal(sql);
    if (answer.status !== 'external') return answer;
    const claimed = await claim(sql, 1000);
    if (claimed.status === 'claimed') await giveBack(sql, claimed, hashes(claimed));
  }
}

const wrong = (sql: Sql) =>
  value<number>(sql, `select count(*)::int from public.people where hash is distinct from '#' || name`);
const expire = (sql: Sql) => sql`update imago.claimed_entity set expires_at = now()`;

describe('an external stage', () => {
  test('is told to who has only SQL, handed out once, written through the journal, and taken back', async () => {
    const { sql } = await database(40);
    const before = await contents(sql, ['public.people']);
    expect(await call(sql, 'dry_run_migration', { plan })).toMatchObject({
      migrated: 0,
      stages: [{ outcome: 'not_tried', reason: 'external', pending: 40 }],
    });
    expect(await call(sql, 'forecast_migration', { plan })).toMatchObject({ plan });
    const told = await migrateUntilExternal(sql);
    expect(told).toMatchObject({ status: 'external', state: 'running', has_more: true, stage: 1 });
    expect(told.hint).toContain('claim_entities');
    // What drives by itself ends there, or leaves it for the next tick.
    expect(await value(sql, `select imago.tick('${plan}') ->> 'status'`)).toBe('external');
    await sql`select imago.create_run()`;
    expect((await sql`call imago.run(${plan})`)[0]?.answer.status).toBe('external');
    const key = await value<string>(sql, 'select id::text from public.people limit 1');
    for (const alone of [
      () => call(sql, 'migrate_entity', { plan, entity: key }),
      () => sql`select imago.move_window(${plan}, 10, 0)`,
    ])
      expect((await refusal(alone())).code).toBe('IM094');

    const one = await claim(sql, 15);
    const two = await claim(sql, 15);
    expect(new Set([...keysOf(one), ...keysOf(two)]).size).toBe(30);
    expect(await giveBack(sql, two, hashes(two))).toMatchObject({ status: 'working', migrated: 15, left: 0 });
    expect(await call(sql, 'get_detailed_migration_progress', { plan })).toMatchObject({
      total: 40,
      migrated: 15,
      pending: 25,
    });
    const three = await claim(sql, 15);
    await giveBack(sql, three, hashes(three));
    expect(await claim(sql, 15)).toMatchObject({ status: 'working' });
    // Nobody is proved to be left while one driver still has its own.
    expect(await migrateUntilExternal(sql)).toMatchObject({ status: 'waiting', state: 'running' });
    await giveBack(sql, one, hashes(one));
    // A reply that was lost: the same once more writes nothing.
    expect(await giveBack(sql, one, hashes(one))).toMatchObject({ migrated: 0, left: 0 });
    expect(await migrateUntilExternal(sql)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await wrong(sql)).toBe(0);
    expect(await value(sql, 'select count(*)::int from imago.claimed_entity')).toBe(0);

    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await contents(sql, ['public.people'])).toEqual(before);
  });

  test('hands out again whose row has changed, whose claim has expired, and what was given back', async () => {
    const { sql } = await database(6);
    await migrateUntilExternal(sql);
    const first = await claim(sql, 4);
    const [changed = '', deleted = '', unnamed = '', written = ''] = keysOf(first);
    await sql`update public.people set name = 'Changed' where id = ${changed}`;
    await sql`delete from public.people where id = ${deleted}`;
    const returned = await giveBack(sql, first, hashes(first, [unnamed]));
    expect(returned).toMatchObject({ migrated: 1, failed: 0, left: 0 });
    const done = await sql`select id from public.people where hash is not null`;
    expect(done.map(({ id }) => id)).toEqual([written]);

    const again = await claim(sql, 4, 1000);
    expect(keysOf(again).sort()).toEqual([changed, unnamed].sort());
    expect(again.entities).toContainEqual({ key: changed, row: { name: 'Changed' } });
    await expire(sql);
    const other = await claim(sql, 4);
    expect(keysOf(other)).toEqual(keysOf(again));
    // Too late: they are somebody else's.
    expect(await giveBack(sql, again, hashes(again))).toMatchObject({ migrated: 0 });
    expect(await giveBack(sql, other, hashes(other))).toMatchObject({ migrated: 2 });

    // Somebody who comes behind the walk is found, too.
    await sql`insert into public.people (name) values ('Late')`;
    expect(await driveToEnd(sql)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await wrong(sql)).toBe(0);
  });

  test('sets aside what fails outside, in read, in apply, and what never comes back; a retry has them all', async () => {
    const { sql } = await database(8);
    await migrateUntilExternal(sql);
    await sql`alter table public.people add constraint short check (length(hash) < 20)`;
    const claimed = await claim(sql, 3);
    const [failing = '', refused = '', fine = ''] = keysOf(claimed);
    const results = { [fine]: { hash: '#1' }, [refused]: { hash: '#'.repeat(30) } };
    const failures = { [failing]: { code: 'ECONNREFUSED', field: 'address.city' } };
    expect(await giveBack(sql, claimed, results, failures)).toMatchObject({ migrated: 1, failed: 2 });
    const [unreadable] = await sql`
      update public.people set name = 'unreadable' where id = (
        select id from public.people where hash is null and id::text <> all (${[failing, refused]}) order by id limit 1)
      returning id`;
    const lost = keysOf(await claim(sql, 10));
    expect(lost.length).toBe(4);
    await sql`update imago.claimed_entity set claims = 10`;
    await expire(sql);
    expect(await claim(sql, 10)).toMatchObject({ status: 'working' });
    const failed =
      await sql`select entity, kind, sqlstate, column_name, reason, constraint_name from imago.failure order by id`;
    expect(failed.slice(0, 3)).toEqual([
      expect.objectContaining({
        entity: failing,
        reason: 'outside: ECONNREFUSED',
        column_name: 'address.city',
      }),
      expect.objectContaining({ entity: refused, sqlstate: '23514', constraint_name: 'short' }),
      expect.objectContaining({ entity: unreadable?.id, sqlstate: '22023' }),
    ]);
    expect(failed.slice(3).map(({ entity, kind }) => [entity, kind])).toEqual(
      lost.map((entity) => [entity, 'deferred']),
    );

    // The late pass tries once more those whose reason may have passed.
    expect(await driveToEnd(sql)).toMatchObject({ status: 'done', state: 'failed', failures_left: 3 });
    await sql`update public.people set name = 'Readable' where name = 'unreadable'`;
    await call(sql, 'retry_failed_migrations', { plan });
    expect(await driveToEnd(sql)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
  });

  test('obeys pause and cancel; arguments that cannot be are refused', async () => {
    const { sql } = await database(5);
    expect((await refusal(claim(sql, 5))).code).toBe('IM022');
    await migrateUntilExternal(sql);
    const claimed = await claim(sql, 2);
    await call(sql, 'pause_migration', { plan });
    expect(await claim(sql, 2)).toMatchObject({ status: 'paused' });
    expect(await giveBack(sql, claimed, hashes(claimed))).toMatchObject({
      status: 'paused',
      migrated: 0,
      left: 2,
    });
    await call(sql, 'resume_migration', { plan });
    expect(await giveBack(sql, claimed, hashes(claimed))).toMatchObject({
      status: 'working',
      migrated: 2,
      left: 0,
    });
    const late = await claim(sql, 2);
    await call(sql, 'cancel_migration', { plan });
    expect(await giveBack(sql, late, hashes(late))).toMatchObject({ status: 'cancelled', migrated: 0 });
    expect(await driveToEnd(sql)).toMatchObject({ state: 'succeeded' });

    const token = '00000000-0000-0000-0000-000000000000';
    for (const [answer, code] of [
      [() => claim(sql, 0), 'IM002'],
      [() => claim(sql, 1, 10), 'IM015'],
      [() => call(sql, 'return_entities', { plan, token, results: [] }), 'IM015'],
      [() => call(sql, 'return_entities', { plan, token: null, results: {} }), 'IM004'],
    ] as const)
      expect((await refusal(answer())).code).toBe(code);
    await rollbackAll(sql, { plan });
    expect((await refusal(claim(sql, 1))).code).toBe('IM017');
  });

  test('by many drivers at once hands each row to one of them, and writes it once', async () => {
    const db = await database(200);
    await migrateUntilExternal(db.sql);
    const drivers = Array.from({ length: 8 }, () => db.connect());
    const handed: string[] = [];
    let moved = 0;
    const last = await Promise.all(
      drivers.map(async (driver) => {
        for (;;) {
          const claimed = await claim(driver, 7);
          handed.push(...keysOf({ entities: [], ...claimed }));
          if (claimed.status === 'claimed') {
            const { migrated } = await giveBack(driver, claimed, hashes(claimed));
            moved += migrated;
          } else await delay(claimed.retry_after_ms);
          if (claimed.status === 'done') return claimed;
          if (claimed.status !== 'working') continue;
          const answer = await call(driver, 'migrate_batch', { plan, run: claimed.run });
          if (answer.status === 'done') return answer;
          await delay(answer.retry_after_ms && 10);
        }
      }),
    );
    expect(last.map(({ state }) => state)).toEqual(last.map(() => 'succeeded'));
    expect([handed.length, new Set(handed).size, moved]).toEqual([200, 200, 200]);
    expect(await wrong(db.sql)).toBe(0);
    expect((await rollbackAll(db.sql, { plan })).at(-1)).toMatchObject({
      rolled_back: expect.any(Number),
      conflicts: 0,
    });
    expect(await value(db.sql, 'select count(*)::int from public.people where hash is null')).toBe(200);
  });

  test('that lacks one of its functions is refused by name before anything is made', async () => {
    const { sql } = await database(1);
    await sql.unsafe(`
      drop function ${plan}.read(uuid[]);
      insert into imago.plan_check (plan, position, name, severity, phase, source, query, fix, meaning, remedy)
        values ('${plan}', 1, 'left', 'error', 'after', 'public.people', 'select id as key, id as entity from public.people where hash is null', 'apply', '-', '-')`);
    const refused = await refusal(call(sql, 'migrate_batch', { plan }));
    expect([refused.code, refused.message]).toEqual([
      'IM006',
      expect.stringContaining(`${plan}.read(uuid[]) is missing; ${plan}.apply(uuid[]) is missing`),
    ]);
  });

  test('behind one of SQL is driven request by request, and goes back with it', async () => {
    const { db, url, secretKey } = await freshProject({ app: 'none' });
    const { sql } = db;
    await createExternalPlan(sql, 100, 2);
    const before = await contents(sql, ['public.people', 'public.teams']);
    const database = createClient(url, secretKey) as never;
    let calls = 0;
    const stage: ExternalStage<{ name: string }, { hash: string }> = {
      row: z.object({ name: z.string() }),
      result: z.object({ hash: z.string() }),
      options: { batchSize: 20 },
      async apply(rows) {
        calls += 1;
        // As a whole the first call fails each time: it is halved down to the row that it cannot do.
        if (rows.some(({ name }) => name === 'Person 8'))
          throw Object.assign(new Error('Person 8'), { code: 'NOT_HIM' });
        return rows.map(({ name }) =>
          name === 'Person 9' ? new TypeError('Person 9') : { hash: `#${name}` },
        );
      },
    };
    const drive = () =>
      driveExternal(database, {
        plan,
        stages: { 2: { ...stage, options: { ...stage.options, retries: 1 } } },
        maxRows: 40,
        signal: new AbortController().signal,
      });
    const first = await drive();
    expect(first).toMatchObject({ has_more: true, state: 'running' });
    expect(first.migrated).toBeLessThanOrEqual(50);
    let last = first;
    for (let requests = 0; last.has_more && requests < 50; requests += 1) last = await drive();
    expect(last).toMatchObject({ status: 'done', failures_left: 2 });
    expect(calls).toBeGreaterThan(5);
    expect([...(await sql`select stage, reason, sqlstate from imago.failure order by reason`)]).toEqual([
      { stage: 2, reason: 'outside: NOT_HIM', sqlstate: null },
      { stage: 2, reason: 'outside: TypeError', sqlstate: null },
    ]);
    expect(await wrong(sql)).toBe(2);
    expect(JSON.stringify(await sql`select * from imago.log`)).not.toContain('Person');

    await rollbackAll(sql, { plan });
    expect(await contents(sql, ['public.people', 'public.teams'])).toEqual(before);
  });
});
