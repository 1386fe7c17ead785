import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createPlan, forward, PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** People by e-mail address, whose city moves to a table of its own: a key and a value that say who somebody is. */
async function people(): Promise<Sql> {
  const db = await freshDatabase({});
  databases.push(db);
  await db.sql.unsafe(`
    create table public.people (email text primary key, city text, secret text);
    create table public.profiles (id int generated always as identity primary key, email text references public.people on delete cascade, city text);
    insert into public.people select 'p' || i || '@example.org', 'city ' || i, 'secret ' || i from generate_series(1, 5) i;`);
  await createPlan(db.sql, {
    table: 'people',
    key: 'email',
    keyType: 'text',
    pending: 's.city is not null',
    apply: `
      insert into public.profiles (email, city) select p.email, p.city from public.people p where p.email = any (keys);
      update public.people set city = null, secret = null where email = any (keys);`,
    writes: [
      { relation: 'public.profiles', entity: 'email', inserts: true },
      { relation: 'public.people', entity: 'email', columns: ['city', 'secret'] },
    ],
    syncs: [
      {
        name: 'new cities',
        relation: 'public.people',
        entity: 'email',
        events: ['update'],
        columns: ['city'],
        statement:
          'update public.people p set city = null from new_rows n where p.email = n.email and n.city is not null',
      },
    ],
  });
  return db.sql;
}

const ONE = 'p1@example.org';

/** Where in the engine's tables and the journal a text stands. */
async function traces(sql: Sql, text: string): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('imago', 'imago_undo') order by 1`;
  const found: string[] = [];
  for (const { name } of tables) {
    const [hit] = await sql.unsafe(`select from ${name} t where position($1 in t::text) > 0 limit 1`, [text]);
    if (hit) found.push(name);
  }
  return found;
}

describe('forget_entity', () => {
  test('of somebody deleted leaves neither value nor key, and says that there is no way back', async () => {
    const sql = await people();
    await forward(sql);
    expect(await traces(sql, 'secret 1')).toEqual(['imago_undo.trial_public_people']);
    await sql`insert into imago.log (plan, level, event, entity, detail) values (${PLAN}, 'warning', 'sync_failed', null,
      ${sql.json({ keys: [ONE, 'p2@example.org'], entities: 2 })})`;
    await sql`delete from public.people where email = ${ONE}`;
    const answer = await call(sql, 'forget_entity', { plan: PLAN, entity: ONE });
    expect(answer).toMatchObject({
      still_there: false,
      forgotten: { 'public.profiles': 1, 'public.people': 1 },
      left: {},
      log_lines: 1,
      way_back: false,
      meaning: 'No rollback takes it back.',
    });
    expect(await traces(sql, 'secret 1')).toEqual([]);
    // Bounds and cursors of lanes are keys, and go with the history of the run.
    expect((await traces(sql, ONE)).filter((table) => table !== 'imago.lane')).toEqual([]);
    expect([
      ...(await sql`select entity, detail -> 'rows' as rows from imago.log where event = 'forgotten'`),
    ]).toEqual([{ entity: null, rows: { 'public.profiles': 1, 'public.people': 1 } }]);
    // The others go back as ever.
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await value(sql, 'select count(secret)::int from public.people')).toBe(4);
  });

  test('of somebody who is there is refused, until asked for: then nothing of them goes back, in part or whole', async () => {
    const sql = await people();
    await forward(sql);
    expect(await refusal(call(sql, 'forget_entity', { plan: PLAN, entity: ONE }))).toMatchObject({
      code: 'IM074',
    });
    expect(await traces(sql, 'secret 1')).not.toEqual([]);
    expect(await call(sql, 'forget_entity', { plan: PLAN, entity: ONE, still_there: true })).toMatchObject({
      still_there: true,
      left: { 'public.profiles': 1 },
      meaning: 'It stays migrated: no rollback takes it back, whole or in part.',
    });
    // What a sync journals from then on does not make a half of a way back.
    await sql`update public.people set city = 'elsewhere' where email = ${ONE}`;
    expect(
      await value(sql, 'select count(*)::int from imago_undo.trial_public_people where entity = $1', [ONE]),
    ).toBe(1);
    expect(await refusal(call(sql, 'rollback_entity', { plan: PLAN, entity: ONE }))).toMatchObject({
      code: 'IM075',
    });
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
      failures_left: 0,
      forgotten: 1,
    });
    expect([...(await sql`select email, city from public.people where secret is null`)]).toEqual([
      { email: ONE, city: null },
    ]);
    expect(await value(sql, 'select count(*)::int from public.profiles')).toBe(1);
  });

  test('of somebody who was not moved, or is not known, changes nothing and says so', async () => {
    const sql = await people();
    await forward(sql);
    await sql`insert into public.people values ('new@example.org', 'new', 'new')`;
    expect(await call(sql, 'forget_entity', { plan: PLAN, entity: 'new@example.org' })).toMatchObject({
      forgotten: {},
      failures: 0,
    });
    expect(await call(sql, 'forget_entity', { plan: PLAN, entity: 'nobody' })).toMatchObject({
      still_there: false,
      forgotten: {},
    });
    await migrateAll(sql, { plan: PLAN });
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await value(sql, 'select count(secret)::int from public.people')).toBe(6);
  });

  test('of a plan that was never prepared is refused: there is no run, and nothing to forget', async () => {
    const sql = await people();
    expect(await refusal(call(sql, 'forget_entity', { plan: PLAN, entity: ONE }))).toMatchObject({
      code: 'IM022',
    });
  });

  test('names the entity by its stage where several stages know the key', async () => {
    const db = await freshDatabase({});
    databases.push(db);
    await db.sql.unsafe(`
      create table public.a (id int primary key, x text);
      create table public.b (id int primary key, x text);
      insert into public.a select i, 'a' || i from generate_series(1, 2) i;
      insert into public.b select i, 'b' || i from generate_series(1, 2) i;`);
    await createPlan(db.sql, {
      table: 'a',
      key: 'id',
      keyType: 'integer',
      pending: 's.x is not null',
      apply: 'update public.a set x = null where id = any (keys);',
      writes: [
        { relation: 'public.a', entity: 'id', columns: ['x'] },
        { relation: 'public.b', entity: 'id', columns: ['x'], stage: 2 },
      ],
      stages: [
        {
          table: 'b',
          key: 'id',
          keyType: 'integer',
          pending: 's.x is not null',
          apply: 'update public.b set x = null where id = any (keys);',
        },
      ],
    });
    await forward(db.sql);
    await db.sql`delete from public.b where id = 1`;
    expect(await refusal(call(db.sql, 'forget_entity', { plan: PLAN, entity: '1' }))).toMatchObject({
      code: 'IM051',
    });
    expect(await call(db.sql, 'forget_entity', { plan: PLAN, entity: '1', stage: 2 })).toMatchObject({
      stage: 2,
      forgotten: { 'public.b': 1 },
    });
    expect(await value(db.sql, 'select count(*)::int from imago_undo.trial_public_a where entity = 1')).toBe(
      1,
    );
  });
});
