/** What differs most between the versions of PostgreSQL, on 15; the rest of it is in conformance-15.test.ts. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepare } from '../../scripts/plan/conformance/steps.ts';
import { value } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { createApp } from '../support/conformance/app.ts';
import { installCron } from '../support/cron.ts';
import { freshDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, forward, PLAN } from '../support/plan.ts';
import { migrateAndTakeBack } from '../support/scheduled.ts';
import { expectNoTraces } from '../support/state.ts';
import { failedSyncs } from '../support/sync.ts';
import { createTown, NO_FAULTS, PLAIN, QUOTED, townFaults } from '../support/town.ts';
import { writeToPartitions } from '../support/town-partitions.ts';
import { found, validated } from '../support/validation.ts';

let server: TestCluster;
beforeAll(async () => {
  server = await testCluster({ version: 15 });
});
afterAll(() => server.remove());

/** What the guide's app has itself, and what the plan adds to it. */
const GUIDE = {
  users: ['active_avatar_id'],
  posts: ['avatar_id'],
  follows: ['avatar_id'],
  avatars: ['metadata'],
};

/** Spoils the avatars of some users, posts and follows. */
async function spoil(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table foreign_avatar as
      select u.id as user_id, (select o.active_avatar_id from public.users o where o.id <> u.id order by o.id limit 1) as avatar
      from public.users u;
    update public.users u set active_avatar_id = f.avatar from foreign_avatar f
      where f.user_id = u.id and u.id in (select id from public.users order by id limit 5);
    update public.users set active_avatar_id = null where id in (select id from public.users order by id offset 5 limit 5);
    update public.posts p set avatar_id = f.avatar from foreign_avatar f
      where f.user_id = p.author_id and p.id in (select id from public.posts order by id limit 60);
    update public.posts set avatar_id = null where id in (select id from public.posts order by id offset 60 limit 60);
    update public.follows x set avatar_id = f.avatar from foreign_avatar f
      where f.user_id = x.following_id and x.id in (select id from public.follows order by id limit 20);
    drop table foreign_avatar`);
}

test('PostgreSQL 15: many defects at once in the app of the guide are all found, fixed, and taken back', async () => {
  const db = await freshDatabase({ app: 'guide', users: 90, on: server });
  const original = await checksums(db.sql, GUIDE);
  await migrateAll(db.sql);
  expect(found(await validated(db.sql))).toEqual({});
  await spoil(db.sql);
  const app = await checksums(db.sql, GUIDE);
  const answer = await validated(db.sql);
  expect(Object.keys(found(answer)).toSorted()).toEqual([
    'counts',
    'follows_with_wrong_avatar',
    'journal_contradicted',
    'posts_with_wrong_avatar',
    'posts_without_avatar',
    'wrong_active_avatar',
  ]);
  const fixed = await validated(db.sql, { fix_issues: true });
  expect(fixed).toMatchObject({ errors: 0, warnings: 0, fixes_failed: 0, healthy: true });
  expect(found(await validated(db.sql))).toEqual({});
  expect((await rollbackAll(db.sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
  // updated_at included, which the hand of the app has moved and the fixes have not.
  expect(await checksums(db.sql, GUIDE)).toEqual({ ...app, avatars: original.avatars });
  expect(found(await validated(db.sql))).toEqual({});
  await db.drop();
});

test('PostgreSQL 15: what the app writes on one side appears on the other, straight to partitions, too', async () => {
  for (const shape of [PLAIN, QUOTED]) {
    const db = await freshDatabase({ on: server });
    const { sql } = db;
    await createTown(sql, 6, shape);
    await forward(sql);
    await sql.unsafe(`update ${shape.people} set city = 'old side' where ${shape.id} = ${shape.key(1)}`);
    await sql.unsafe(`update ${shape.profiles} set city = 'new side' where person = ${shape.key(2)}`);
    await sql.unsafe(`update ${shape.letters} set person = ${shape.key(3)}`);
    await sql.unsafe(`
      insert into ${shape.people} (${shape.id}, city) values (${shape.key(1)}, 'again'), (${shape.key(9)}, 'new')
      on conflict (${shape.id}) do update set city = excluded.city`);
    expect(await failedSyncs(sql)).toEqual([]);
    expect(await townFaults(sql, shape)).toEqual(NO_FAULTS);
    await back(sql);
    await expectNoTraces(sql, PLAN);
    await db.drop();
  }
  const db = await freshDatabase({ on: server });
  await createTown(db.sql, 6, QUOTED);
  await writeToPartitions(db.sql);
  await db.drop();
});

test('PostgreSQL 15: ticks of pg_cron alone migrate everybody and take everything back', async () => {
  const db = await freshDatabase({ app: 'sample', users: 300, on: server });
  await installCron(db);
  await migrateAndTakeBack(db);
  await db.drop();
});

test('PostgreSQL 15: rows that a plan deletes come back as they were, with what refers to them', async () => {
  const db = await freshDatabase({ on: server });
  await db.sql.unsafe(await readFile('tests/fixtures/plans/double_contacts/plan.sql', 'utf8'));
  await createApp(db.sql, 'tests/fixtures/plans/double_contacts/app.sql', 60);
  const tables = ['public.orders', 'public.tags', 'public."Contacts"'];
  await prepare(db.sql, 'double_contacts');
  const original = await contents(db.sql, tables);
  expect((await migrateAll(db.sql, { plan: 'double_contacts' })).at(-1)).toMatchObject({
    state: 'succeeded',
  });
  expect(await value(db.sql, 'select count(*)::int from public."Contacts"')).toBe(36);
  expect((await rollbackAll(db.sql, { plan: 'double_contacts' })).at(-1)).toMatchObject({
    state: 'succeeded',
  });
  expect(await contents(db.sql, tables)).toEqual(original);
  await db.drop();
});
