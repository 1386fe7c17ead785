import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import fixture from '../support/conformance/resume_skills.ts';
import { finalize } from '../support/conformance/steps.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { found, validated } from '../support/validation.ts';

/** What the plan resume_skills does; tests/system/conformance.test.ts tries on it what holds for all plans. */

const plan = 'resume_skills';
const DEFAULT = '[{"name": "Unspecified", "level": "beginner"}]';

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** The app, changed by some SQL before anything is migrated. */
async function app(change = ''): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await createApp(db.sql, fixture.app, 40);
  await db.sql.unsafe(change);
  return db;
}

/** Skills by user, as the text that is stored. */
async function skills(sql: Sql): Promise<Record<string, string | null>> {
  const rows = await sql<
    { id: number; skills: string | null }[]
  >`select id, skills::text from public.users order by id`;
  return Object.fromEntries(rows.map((row) => [row.id, row.skills]));
}

describe('resume_skills forward', () => {
  test('gives everybody the default, and adds the columns as they are asked for', async () => {
    const { sql } = await app();
    const last = (await migrateAll(sql, { plan })).at(-1);
    expect(last).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(new Set(Object.values(await skills(sql)))).toEqual(new Set([DEFAULT]));
    const columns = await sql`
      select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required, atthasdef as filled
      from pg_attribute where attrelid = 'public.users'::regclass and attname in ('profile_picture', 'skills') order by attname`;
    expect([...columns]).toEqual([
      { name: 'profile_picture', type: 'character varying(200)', required: false, filled: false },
      { name: 'skills', type: 'json', required: false, filled: false },
    ]);
    expect(await value(sql, 'select count(*)::int from public.users where profile_picture is not null')).toBe(
      0,
    );
    expect(await call(sql, 'get_migration_statistics', { plan })).toMatchObject({
      users_needing_migration: 0,
      users_with_default_skills: 37,
    });
  });

  test('leaves alone who has set anything: a list, an empty one, also the JSON value null', async () => {
    const { sql } = await app(`
      alter table public.users add column skills json;
      update public.users set skills = '[{"name":"SQL",  "level":"expert"}]' where id = 1;
      update public.users set skills = '[]' where id = 2;
      update public.users set skills = 'null' where id = 3`);
    expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await skills(sql)).toMatchObject({
      1: '[{"name":"SQL",  "level":"expert"}]',
      2: '[]',
      3: 'null',
      4: DEFAULT,
    });
    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ status: 'done', conflicts: 0 });
    expect(await skills(sql)).toMatchObject({
      1: '[{"name":"SQL",  "level":"expert"}]',
      2: '[]',
      3: 'null',
      4: null,
    });
  });

  test('gives a sign-up without skills the default in the same transaction; updated_at stays', async () => {
    const { sql } = await app();
    await migrateAll(sql, { plan });
    const added = await sql`
      insert into public.users (name, email, password) values ('A', 'a@example.com', 'x') returning id`;
    await sql`
      insert into public.users (name, email, password, skills, updated_at) values ('B', 'b@example.com', 'x', '[]', '2020-01-01')`;
    const rows =
      await sql`select email, skills::text from public.users where email in ('a@example.com', 'b@example.com') order by 1`;
    expect([...rows]).toEqual([
      { email: 'a@example.com', skills: DEFAULT },
      { email: 'b@example.com', skills: '[]' },
    ]);
    expect(added).toHaveLength(1);
    expect(await value(sql, 'select count(*)::int from public.users where updated_at < created_at')).toBe(1);
  });

  test.each([
    ['alter table public.users add column skills jsonb', 'public.users.skills has type jsonb'],
    ['alter table public.users add column skills text[]', 'public.users.skills has type text[]'],
    [
      'alter table public.users add column profile_picture integer',
      'public.users.profile_picture has type integer',
    ],
    ['alter table public.users alter column id type text using id::text', 'public.users.id has type text'],
  ])('is refused before anything changes: %s', async (change, problem) => {
    const { sql } = await app(`drop table public.resumes; ${change}`);
    await expect(migrateAll(sql, { plan })).rejects.toMatchObject({
      code: 'IM006',
      message: expect.stringContaining(problem),
    });
  });

  test('works with a key of type bigint', async () => {
    const { sql } = await app(
      'drop table public.resumes; alter table public.users alter column id type bigint',
    );
    expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
  });
});

describe('rollback of resume_skills', () => {
  test('takes the default back, leaves what users changed and says so; force takes that, too', async () => {
    const { sql } = await app();
    await migrateAll(sql, { plan });
    await sql`update public.users set skills = '[{"name": "SQL", "level": "expert"}]' where id = 5`;
    // The same list in other words is a change: json has no equality, so the text counts.
    await sql`update public.users set skills = '[{"name":"Unspecified","level":"beginner"}]' where id = 6`;
    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({
      status: 'done',
      state: 'failed',
      conflicts: 2,
    });
    expect(await skills(sql)).toMatchObject({
      4: null,
      5: '[{"name": "SQL", "level": "expert"}]',
      6: '[{"name":"Unspecified","level":"beginner"}]',
    });
    const conflicts = await sql`
      select entity, table_name as relation, reason from imago.failure where plan = ${plan} order by entity`;
    expect([...conflicts]).toEqual([
      { entity: '5', relation: 'public.users', reason: 'changed' },
      { entity: '6', relation: 'public.users', reason: 'changed' },
    ]);
    expect((await rollbackAll(sql, { plan, force: true })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(new Set(Object.values(await skills(sql)))).toEqual(new Set([null]));
  });
});

describe('the checks of resume_skills', () => {
  test('name who has no skills, whose were removed and whose are no list, and fix the first two', async () => {
    const { sql } = await app();
    await migrateAll(sql, { plan });
    await sql`alter table public.users disable trigger user`;
    await sql`insert into public.users (name, email, password) values ('Late', 'late@example.com', 'x')`;
    await sql`alter table public.users enable trigger user`;
    await sql`update public.users set skills = null where id in (1, 2)`;
    await sql`update public.users set skills = '{"sql": "expert"}' where id = 3`;
    expect(found(await validated(sql, { plan }))).toMatchObject({
      users_without_skills: 1,
      skills_removed: 2,
      skills_of_another_shape: 1,
    });
    const fixed = await validated(sql, { plan, fix_issues: true });
    expect(fixed).toMatchObject({ healthy: true, fixed: 3, manual: 1 });
    expect(await value(sql, 'select count(*)::int from public.users where skills is null')).toBe(0);
  });
});

test('finalize of resume_skills makes the default that of the column, once sync is gone', async () => {
  const { sql } = await app();
  await migrateAll(sql, { plan });
  expect((await finalize(sql, plan)).at(-1)).toMatchObject({ state: 'finalized' });
  await sql`insert into public.users (name, email, password) values ('Late', 'late@example.com', 'x')`;
  expect(new Set(Object.values(await skills(sql)))).toEqual(new Set([DEFAULT]));
});

test.each([
  ['that prepare added, when they are empty', '', []],
  ['but none of the app', 'alter table public.users add column skills json', ['skills']],
])('clean-up after a rollback of resume_skills drops the columns %s', async (_, change, kept) => {
  const { sql } = await app(change);
  await migrateAll(sql, { plan });
  await rollbackAll(sql, { plan });
  while ((await call(sql, 'cleanup_migration', { plan, older_than: '0' })).has_more);
  const columns = await sql<{ name: string }[]>`
    select attname as name from pg_attribute
    where attrelid = 'public.users'::regclass and attname in ('profile_picture', 'skills') and not attisdropped`;
  expect(columns.map(({ name }) => name)).toEqual(kept);
  expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
});
