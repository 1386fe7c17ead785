/** A plan walks a table that belongs to somebody else: it is read and locked, never written, and left without a trace. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Sql } from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createPlan, PLAN, type PlanParts } from '../support/plan.ts';

async function database(): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'none' });
  onTestFinished(db.drop);
  return db;
}

/** A profile for each row of a table that has none. */
const profiles = (schema: string, table: string): PlanParts => ({
  schema,
  table,
  key: 'id',
  keyType: 'uuid',
  pending: 'not exists (select from public.profiles p where p.id = s.id)',
  apply: `insert into public.profiles (id) select k from unnest(keys) k on conflict do nothing;`,
  writes: [{ relation: 'public.profiles', entity: 'id', inserts: true }],
  syncs: [
    {
      name: 'sign-ups',
      relation: `${schema}.${table}`,
      entity: 'id',
      events: ['insert'],
      creates: true,
      statement: `select ${PLAN}.apply(array(select n.id from new_rows n))`,
    },
  ],
});

const missing = (sql: Sql, table: string) =>
  value(
    sql,
    `select count(*)::int from ${table} u left join public.profiles p using (id) where p.id is null`,
  );

const triggers = (sql: Sql, table: string) =>
  value<string[]>(
    sql,
    `select coalesce(array_agg(tgname::text), '{}') from pg_trigger where tgrelid = '${table}'::regclass and tgname like '%imago%'`,
  );

/** The rows with the transactions that have written them. */
const written = (sql: Sql) =>
  value(sql, `select md5(string_agg(u.xmin || ' ' || u::text, ' ' order by u.id)) from auth.users u`);

const preflight = (sql: Sql) => call(sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });

test('auth.users is walked, followed and left, and no row of it is written', async () => {
  const db = await database();
  // Auth writes as its own role.
  const auth = await db.connect({ role: 'supabase_admin' }).reserve();
  await auth.unsafe('set role supabase_auth_admin');
  const signUp = async (n: number) =>
    await auth.unsafe(
      `insert into auth.users (id, email) values (md5('late ' || ${n})::uuid, 'late${n}@example.com')`,
    );
  await db.sql.unsafe(`
    create table public.profiles (id uuid primary key references auth.users on delete cascade);
    insert into auth.users (id, email) select md5('u' || i)::uuid, 'u' || i || '@example.com' from generate_series(1, 40) i;
    insert into public.profiles select id from auth.users order by id limit 10`);
  await createPlan(db.sql, profiles('auth', 'users'));
  const before = await written(db.sql);

  const looked = await preflight(db.sql);
  expect(looked.problems).toEqual([]);
  expect(looked.notices).toContainEqual({
    severity: 'notice',
    kind: 'foreign_source',
    object: 'auth.users',
    message:
      'belongs to supabase_auth_admin: it is read and never written; new rows are found at once, by a trigger',
    hint: 'Triggers that the plan has there go when it is rolled back or finalized.',
  });
  expect(await call(db.sql, 'dry_run_migration', { plan: PLAN })).toMatchObject({
    migrated: 30,
    failures: [],
  });
  expect(await triggers(db.sql, 'auth.users')).toEqual([]);

  await migrateAll(db.sql, { plan: PLAN, batch_size: 7 });
  expect(await missing(db.sql, 'auth.users')).toBe(0);
  expect(await written(db.sql)).toBe(before);
  expect(await call(db.sql, 'validate_migration', { plan: PLAN })).toMatchObject({ errors: 0 });

  await signUp(1);
  expect(await missing(db.sql, 'auth.users')).toBe(0);
  expect((await rollbackAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({
    state: 'succeeded',
    conflicts: 0,
  });
  expect(await value(db.sql, 'select count(*)::int from public.profiles')).toBe(10);
  expect(await triggers(db.sql, 'auth.users')).toEqual([]);
  await signUp(2);

  // Who moves somebody holds the row: Auth waits for that, and for nothing else.
  await db.sql.begin(async (tx) => {
    await migrateAll(tx as unknown as Sql, { plan: PLAN });
    await auth.unsafe("set lock_timeout = '1ms'");
    expect((await refusal(auth.unsafe('update auth.users set last_sign_in_at = now()'))).code).toBe('55P03');
  });
  expect((await finalizeAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'finalized' });
  expect(await triggers(db.sql, 'auth.users')).toEqual([]);
  expect(await missing(db.sql, 'auth.users')).toBe(0);
});

test('a plan that writes there is refused: by its declaration, or by the dry run', async () => {
  const db = await database();
  await db.sql.unsafe(`
    create table public.profiles (id uuid primary key references auth.users on delete cascade);
    insert into auth.users (id) select md5('u' || i)::uuid from generate_series(1, 3) i`);
  const parts = profiles('auth', 'users');
  await createPlan(db.sql, {
    ...parts,
    apply: `${parts.apply} update auth.users set aud = 'x' where id = any (keys);`,
  });
  const undeclared = await refusal(call(db.sql, 'dry_run_migration', { plan: PLAN }));
  expect(undeclared).toMatchObject({ code: 'IM014', message: expect.stringContaining('auth.users') });
  await db.sql`insert into imago.plan_write (plan, position, relation, entity_column, columns) values (${PLAN}, 2, 'auth.users', 'id', '{aud}')`;
  expect((await preflight(db.sql)).problems).toContainEqual(
    expect.objectContaining({ severity: 'error', kind: 'foreign_owner', object: 'auth.users' }),
  );
});

test('where rows may only be read, one call moves at a time, the late pass finds what comes, and it says so', async () => {
  const db = await database();
  const admin = db.connect({ role: 'supabase_admin' });
  await admin.unsafe(`
    create schema theirs;
    create table theirs.people (id uuid primary key);
    grant usage on schema theirs to postgres;
    insert into theirs.people select md5('p' || i)::uuid from generate_series(1, 40) i`);
  await db.sql.unsafe(
    'create table public.profiles (id uuid primary key); create table public.notes (id integer primary key, person uuid)',
  );
  const parts = profiles('theirs', 'people');
  const notes = {
    name: 'notes',
    relation: 'public.notes',
    entity: 'person',
    creates: true,
    statement: `select ${PLAN}.apply(array(select n.person from new_rows n))`,
  };
  await createPlan(db.sql, { ...parts, syncs: [...(parts.syncs ?? []), notes] });
  expect((await preflight(db.sql)).problems).toContainEqual(
    expect.objectContaining({
      severity: 'error',
      kind: 'no_right',
      message: 'postgres has no right to select',
    }),
  );
  await admin.unsafe('grant select on theirs.people to postgres');
  const { problems, notices } = await preflight(db.sql);
  expect(
    problems.map(({ severity, message }: { severity: string; message: string }) => [severity, message]),
  ).toEqual([
    ['warning', 'gets no trigger: postgres has no right to'],
    ['warning', 'cannot be locked row by row: postgres has no right to update it'],
  ]);
  expect(notices[0]?.message).toContain('new rows are found by the late pass');

  while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
  const other = db.connect();
  const key = "imago.source_lock_key('theirs.people')";
  await other.begin(async (tx) => {
    await tx.unsafe(`select pg_advisory_xact_lock(${key})`);
    expect(await call(db.sql, 'migrate_batch', { plan: PLAN })).toMatchObject({
      status: 'busy',
      migrated: 0,
    });
  });
  await db.sql.begin(async (tx) => {
    await call(tx as unknown as Sql, 'migrate_batch', { plan: PLAN, batch_size: 5 });
    expect(await value(other, `select pg_try_advisory_xact_lock_shared(${key})`)).toBe(false);
  });
  await Promise.all([
    migrateAll(db.sql, { plan: PLAN, batch_size: 3 }),
    migrateAll(other, { plan: PLAN, batch_size: 3 }),
  ]);
  expect(await missing(db.sql, 'theirs.people')).toBe(0);
  expect(await value(db.sql, 'select count(*)::int from imago.failure')).toBe(0);

  await admin.unsafe(`insert into theirs.people values (md5('late')::uuid)`);
  expect((await migrateAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ status: 'done' });
  expect(await missing(db.sql, 'theirs.people')).toBe(0);
  // The app's write of what hangs on an entity keeps batches away, as a lock of its row would.
  await db.sql.begin(async (tx) => {
    await tx.unsafe('insert into public.notes select 1, id from theirs.people limit 1');
    expect(await value(other, `select pg_try_advisory_xact_lock(${key})`)).toBe(false);
  });
  const { triggers: installed } = await call(db.sql, 'inspect_installation');
  expect(installed.filter(({ state }: { state: string }) => state !== 'sound')).toEqual([]);
  const entity = await value<string>(db.sql, 'select id::text from theirs.people limit 1');
  expect(await call(db.sql, 'rollback_entity', { plan: PLAN, entity })).toMatchObject({ rolled_back: true });
  expect((await rollbackAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({
    state: 'succeeded',
    conflicts: 0,
  });
  expect(await value(db.sql, 'select count(*)::int from public.profiles')).toBe(0);

  // With triggers, and no locks of rows: what the app writes in the table itself keeps batches away, too.
  await admin.unsafe('grant trigger on theirs.people to postgres');
  await migrateAll(db.sql, { plan: PLAN });
  await admin.begin(async (tx) => {
    await tx.unsafe(`insert into theirs.people values (md5('later')::uuid)`);
    expect(await value(other, `select pg_try_advisory_xact_lock(${key})`)).toBe(false);
  });
  expect(await missing(db.sql, 'theirs.people')).toBe(0);
});

test('Imago goes whole from a project whose auth.users it follows', async () => {
  const db = await database();
  await db.sql.unsafe(`
    create table public.profiles (id uuid primary key references auth.users on delete cascade);
    insert into auth.users (id) values (md5('u')::uuid)`);
  await createPlan(db.sql, profiles('auth', 'users'));
  await migrateAll(db.sql, { plan: PLAN });
  expect(await triggers(db.sql, 'auth.users')).toHaveLength(2);
  const uninstall = await readFile(path.join(packageFolder, 'sql/uninstall.sql'), 'utf8');
  await db.sql.begin(
    async (tx) =>
      await tx.unsafe(
        uninstall.replace(
          'discard_journal constant boolean := false',
          'discard_journal constant boolean := true',
        ),
      ),
  );
  expect(await triggers(db.sql, 'auth.users')).toEqual([]);
  expect(await value(db.sql, `select to_regnamespace('imago') is null`)).toBe(true);
});
