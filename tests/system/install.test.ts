import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { pendingMigrations, projectFolder, pushMigrations } from '../../scripts/embedded/push.ts';
import { createSample } from '../../scripts/embedded/sample.ts';
import { avatarFaults, expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { testCluster } from '../support/cluster.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

async function database(options: DatabaseOptions): Promise<TestDatabase> {
  const db = await freshDatabase(options);
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** The catalog of schema public and the schemas that there are, as one text each: equal when nothing was changed. */
async function catalog(sql: Sql): Promise<Record<string, string>> {
  const [row] = await sql<Record<string, string>[]>`
    select
      (select string_agg(nspname || ' ' || nspowner || ' ' || coalesce(nspacl::text, ''), ', ' order by oid)
       from pg_namespace where nspname !~ '^pg_' and nspname <> 'supabase_migrations') as schemas,
      (select string_agg(format('%s %s %s %s', c.oid, c.relname, c.relacl, c.relfilenode), ', ' order by c.oid)
       from pg_class c where c.relnamespace = 'public'::regnamespace) as relations,
      (select string_agg(format('%s %s %s %s', a.attrelid, a.attname, a.atttypid, a.attnotnull), ', ' order by a.attrelid, a.attnum)
       from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace = 'public'::regnamespace) as columns,
      (select string_agg(format('%s %s', k.oid, pg_get_constraintdef(k.oid)), ', ' order by k.oid)
       from pg_constraint k where k.connamespace = 'public'::regnamespace) as constraints,
      (select string_agg(format('%s %s', t.oid, pg_get_triggerdef(t.oid)), ', ' order by t.oid)
       from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace = 'public'::regnamespace) as triggers,
      (select string_agg(format('%s %s %s', p.oid, p.proname, md5(p.prosrc)), ', ' order by p.oid)
       from pg_proc p where p.pronamespace = 'public'::regnamespace) as functions`;
  return row ?? {};
}

/** What of the catalog belongs to the app's tables: pushing may add functions and the view to schema public, no more. */
async function tablesOfApp(sql: Sql): Promise<unknown> {
  return [
    ...(await sql`
      select c.relname, c.relfilenode, c.relacl::text, c.relrowsecurity, c.relhastriggers,
        (select string_agg(format('%s %s', a.attname, a.atttypid), ', ' order by a.attnum) from pg_attribute a
         where a.attrelid = c.oid) as columns,
        (select string_agg(pg_get_triggerdef(t.oid), ', ' order by t.oid) from pg_trigger t where t.tgrelid = c.oid) as triggers,
        (select string_agg(i.indexrelid::text, ', ' order by i.indexrelid) from pg_index i where i.indrelid = c.oid) as indexes,
        (select string_agg(pg_get_constraintdef(k.oid), ', ' order by k.oid) from pg_constraint k where k.conrelid = c.oid) as constraints
      from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1`),
  ];
}

/** Forward, all of it, and back again to the very same rows. */
async function forthAndBack(sql: Sql): Promise<void> {
  const before = await checksums(sql);
  expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
  await expectAllMigrated(sql);
  expect((await rollbackAll(sql)).at(-1)).toMatchObject({ status: 'done', conflicts: 0 });
  expect(await checksums(sql)).toEqual(before);
  expect(await value(sql, 'select count(*) from public.avatars')).toBe('0');
}

/** The migrations as one text, for many small tries without the command. */
async function migrationsText(): Promise<string> {
  const folder = path.join(projectFolder, 'supabase', 'migrations');
  const files = (await readdir(folder)).sort();
  return (await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')))).join('\n');
}

describe('supabase db push', () => {
  test('on an empty database, where the app comes later, works forward and back', async () => {
    const db = await database({ migrated: false });
    expect((await pendingMigrations(db.sql)).length).toBeGreaterThan(1);
    await pushMigrations(db.url);
    expect(await pendingMigrations(db.sql)).toEqual([]);
    await createSample(db.sql, 100);
    await forthAndBack(db.sql);
  });

  test('on a database with the app and its rows touches no table of it; nor a second time, with the run half done', async () => {
    const db = await database({ migrated: false, app: 'sample', users: 100 });
    const [tables, sums] = [await tablesOfApp(db.sql), await checksums(db.sql)];
    await pushMigrations(db.url);
    expect(await tablesOfApp(db.sql)).toEqual(tables);
    expect(await checksums(db.sql)).toEqual(sums);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 30 });
    const installed = await catalog(db.sql);
    await pushMigrations(db.url);
    expect(await catalog(db.sql)).toEqual(installed);
    expect(await avatarFaults(db.sql)).toMatchObject({ users_without_active_avatar: 70 });
    await forthAndBackFrom(db.sql, sums);
  });

  test('on PostgreSQL 15, empty and with the app, works forward and back', async () => {
    const cluster = await testCluster({ version: 15 });
    try {
      const empty = await freshDatabase({ on: cluster, app: 'guide', users: 60 });
      expect(await value(empty.sql, 'show server_version')).toMatch(/^15\./);
      const before = await checksums(empty.sql, {
        users: ['active_avatar_id'],
        posts: ['avatar_id'],
        follows: ['avatar_id'],
      });
      await migrateAll(empty.sql);
      await expectAllMigrated(empty.sql, { author: 'author_id', followed: 'following_id' });
      await rollbackAll(empty.sql);
      expect(
        await checksums(empty.sql, {
          users: ['active_avatar_id'],
          posts: ['avatar_id'],
          follows: ['avatar_id'],
        }),
      ).toEqual(before);
      await empty.drop();

      const db = await freshDatabase({ on: cluster, migrated: false, app: 'sample', users: 100 });
      const tables = await tablesOfApp(db.sql);
      await pushMigrations(db.url);
      expect(await tablesOfApp(db.sql)).toEqual(tables);
      const dry = await call(db.sql, 'dry_run_migration', { mode: 'full' });
      expect(dry).toMatchObject({ status: 'done', migrated: 100, undeclared: [] });
      await forthAndBack(db.sql);
      await db.drop();
    } finally {
      await cluster.remove();
    }
  });

  test('names that are taken are named, all at once, and nothing is changed', async () => {
    const db = await database({ migrated: false, app: 'sample', users: 10 });
    await db.sql.unsafe(`
      create function public.migrate_batch(n integer) returns text language sql as 'select 1::text';
      create view public.migration_log as select 1 as one;
      create schema imago_undo;`);
    const [before, sums] = [await catalog(db.sql), await checksums(db.sql)];
    const error = await pushMigrations(db.url).catch((failure: Error) => failure);
    expect(error).toBeInstanceOf(Error);
    const message = (error as Error).message;
    expect(message).toContain(
      'names that Imago needs are taken: migrate_batch(integer) (returns text), public.migration_log, schema imago_undo',
    );
    expect(message).toContain('IM012');
    expect(await catalog(db.sql)).toEqual(before);
    expect(await checksums(db.sql)).toEqual(sums);
    await db.sql.unsafe(
      'drop function public.migrate_batch(integer); drop view public.migration_log; drop schema imago_undo',
    );
    await db.sql.unsafe(await migrationsText());
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
  });

  test.each([
    [
      'a function with another result',
      `create function public.get_migration_statistics(plan text default 'x') returns integer language sql as 'select 1'`,
      'get_migration_statistics(text) (returns integer)',
    ],
    [
      'an overload that returns a table',
      `create function public.pause_migration(a integer, b integer) returns table (c integer) language sql as 'select 1'`,
      'pause_migration(integer,integer) (returns TABLE(c integer))',
    ],
    [
      'a procedure',
      `create procedure public.rollback_batch() language sql as 'select 1'`,
      'rollback_batch()',
    ],
    ['a table', 'create table public.migration_log (id integer)', 'public.migration_log'],
    ['a type', `create type public.migration_log as enum ('a')`, 'public.migration_log'],
    ['the schema of the engine', 'create schema imago', 'schema imago'],
    ['the schema of the journal', 'create schema imago_undo', 'schema imago_undo'],
  ])('refuses a taken name with IM012, and changes nothing: %s', async (_, statement, name) => {
    const db = await database({ migrated: false });
    await db.sql.unsafe(statement);
    const before = await catalog(db.sql);
    const error = await refusal(db.sql.unsafe(await migrationsText()));
    expect(error.code).toBe('IM012');
    expect(error.message).toContain(name);
    expect(error.hint).toContain('Rename or drop');
    expect(await catalog(db.sql)).toEqual(before);
  });
});

/** As forthAndBack, from a run that has begun. */
async function forthAndBackFrom(sql: Sql, before: Record<string, string>): Promise<void> {
  await migrateAll(sql);
  await expectAllMigrated(sql);
  await rollbackAll(sql);
  expect(await checksums(sql)).toEqual(before);
}

describe('starting on an app that does not fit', () => {
  /** Starting is refused by IM006 with exactly these problems, and nothing is changed. */
  async function expectRefused(db: TestDatabase, problems: string[]): Promise<void> {
    const before = [await catalog(db.sql), await checksums(db.sql)];
    for (const name of ['migrate_batch', 'prepare_migration', 'dry_run_migration']) {
      const error = await refusal(call(db.sql, name));
      expect(error.code).toBe('IM006');
      expect(error.message.replace('plan avatars cannot start here: ', '').split('; ').sort()).toEqual(
        problems,
      );
      expect(error.hint).toContain('Nothing has been changed');
    }
    expect([await catalog(db.sql), await checksums(db.sql)]).toEqual(before);
    expect(
      await value(db.sql, 'select (select count(*) from imago.run) + (select count(*) from imago.log)'),
    ).toBe('0');
  }

  test('foreign-owned tables are named', async () => {
    const db = await database({ app: 'guide', users: 10 });
    const admin = db.connect({ role: 'supabase_admin' });
    await admin.unsafe(
      'alter table public.users owner to supabase_admin; alter table public.avatars owner to supabase_admin',
    );
    await expectRefused(db, [
      'public.avatars is owned by supabase_admin, not by postgres',
      'public.users is owned by supabase_admin, not by postgres',
    ]);
    await admin.unsafe(
      'alter table public.users owner to postgres; alter table public.avatars owner to postgres',
    );
    expect((await prepareAll(db.sql)).length).toBeGreaterThan(5);
  });

  test('missing and wrong columns are named each', async () => {
    const db = await database({ app: 'sample', users: 10 });
    await db.sql.unsafe(`
      alter table public.users drop column display_name, drop column username, add column active_avatar_id text;
      alter table public.users alter column bio type jsonb using to_jsonb(bio);
      alter table public.posts add column avatar_id bigint;
      drop table public.follows;`);
    await expectRefused(db, [
      'public.follows table is missing',
      'public.posts.avatar_id has type bigint',
      'public.users has neither display_name nor username',
      'public.users.active_avatar_id has type text',
      'public.users.bio has type jsonb',
    ]);
  });

  test('a view, a partition and a table without a key are no tables to migrate', async () => {
    const db = await database({ app: 'none' });
    await db.sql.unsafe(`
      create table public.people (id uuid primary key, username text);
      create view public.users as select * from public.people;
      create table public.all_posts (id uuid, user_id uuid) partition by hash (id);
      create table public.posts partition of public.all_posts for values with (modulus 1, remainder 0);
      create table public.follows (id uuid, followed_id uuid);`);
    await expectRefused(db, [
      'public.follows has no primary key',
      'public.posts is not a table or a partitioned parent',
      'public.users is not a table or a partitioned parent',
      'public.users.id is not unique',
    ]);
  });

  test('columns of an existing avatars table that must have a value are named; a view of the app gives one', async () => {
    const db = await database({ app: 'guide', users: 20 });
    await db.sql.unsafe(`
      alter table public.avatars add column voice text, add column tone text not null default 'warm', add column "Moto" integer;
      update public.avatars set voice = 'low', "Moto" = 1;
      alter table public.avatars alter column voice set not null, alter column "Moto" set not null;`);
    await expectRefused(db, [
      'public.avatars."Moto" is not null, has no default, and the plan has no value for it',
      'public.avatars.voice is not null, has no default, and the plan has no value for it',
    ]);
    await db.sql.unsafe(`
      create view avatars.default_avatar as
      select id as owner_user_id, username as name, ''::text as bio, 'other'::text as niche, array['x'] as personality_traits,
        'p'::text as personality_prompt, 'high'::text as voice, 7 as "Moto", jsonb_build_object('migrated', true) as metadata
      from public.users`);
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql, { author: 'author_id', followed: 'following_id' });
    expect(
      await value(db.sql, `select count(*) from public.avatars where voice = 'high' and "Moto" = 7`),
    ).toBe('18');
  });

  test('columns of an existing avatars table whose type does not fit are named', async () => {
    const db = await database({ app: 'guide', users: 10 });
    await db.sql.unsafe(`
      create type public.niche as enum ('music', 'other');
      alter table public.avatars drop constraint avatars_niche_check, alter column niche type public.niche using niche::public.niche,
        alter column personality_traits type jsonb using to_jsonb(personality_traits), add column metadata json;`);
    await expectRefused(db, [
      'public.avatars.metadata has type json',
      'public.avatars.niche has type public.niche',
      'public.avatars.personality_traits has type jsonb',
    ]);
  });
});

describe('build:sql', () => {
  const build = (folder: string, ...args: string[]) =>
    new Promise<{ code: number; errors: string }>((resolve) => {
      execFile(process.execPath, [path.join(folder, 'scripts/build-sql.ts'), ...args], (error, _, errors) =>
        resolve({ code: Number(error?.code ?? 0), errors }),
      );
    });

  test('--check passes on what is committed and fails on drift, changing nothing', async () => {
    expect(await build(projectFolder, '--check')).toEqual({ code: 0, errors: '' });

    const copy = await mkdtemp(path.join(tmpdir(), 'imago-build-'));
    try {
      for (const part of [
        'scripts/build-sql.ts',
        'scripts/manifest.ts',
        'scripts/package.ts',
        'sql',
        'supabase/migrations',
        'package.json',
      ]) {
        await cp(path.join(projectFolder, part), path.join(copy, part), { recursive: true });
      }
      await symlink(path.join(projectFolder, 'node_modules'), path.join(copy, 'node_modules'));
      const folder = path.join(copy, 'supabase/migrations');
      const [first = ''] = (await readdir(folder)).sort();
      // As if nothing had been released.
      await writeFile(path.join(copy, 'sql/released.json'), '{}\n');
      expect((await build(copy)).code).toBe(0);
      const built = await readFile(path.join(folder, first), 'utf8');

      await writeFile(path.join(folder, first), `${built}\n-- by hand\n`);
      const drifted = await build(copy, '--check');
      expect(drifted.code).toBe(1);
      expect(drifted.errors).toContain(`Differs from sql/: supabase/migrations/${first}`);
      expect(drifted.errors).toContain('npm run build:sql');
      expect(await readFile(path.join(folder, first), 'utf8')).toContain('-- by hand');

      expect((await build(copy)).code).toBe(0);
      expect(await readFile(path.join(folder, first), 'utf8')).toBe(built);
      await writeFile(path.join(copy, 'sql/engine/functions/zz_new.sql'), 'select 1;\n');
      expect((await build(copy, '--check')).code).toBe(1);
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });
});

describe('prepare_migration', () => {
  test('warns of missing indexes with the statement to run, and goes on', async () => {
    const db = await database({ app: 'guide', users: 20 });
    await db.sql.unsafe(
      'drop index public.posts_author_id_idx, public.follows_following_id_idx, public.avatars_owner_user_id_idx',
    );
    const first = await call(db.sql, 'prepare_migration');
    expect(first).toMatchObject({ status: 'preparing', has_more: true });
    const statements = [
      'create index concurrently on public.posts (author_id);',
      'create index concurrently on public.follows (following_id);',
      'create index concurrently on public.avatars (owner_user_id);',
    ];
    expect(first.warnings.map((warning: Answer) => warning.hint)).toEqual(statements);
    const logged =
      await db.sql`select detail from public.migration_log where event = 'preflight' and level = 'warning'`;
    expect(logged.map((row) => row.detail.hint)).toEqual(statements);
    for (const statement of statements) await db.sql.unsafe(statement);
    const { problems } = await call(db.sql, 'dry_run_migration', { mode: 'preflight' });
    expect(problems).toEqual([]);
    expect((await call(db.sql, 'migrate_batch')).status).toBe('preparing');
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql, { author: 'author_id', followed: 'following_id' });
  });

  test('an app without an author column in posts is told so, and its posts are left alone', async () => {
    const db = await database({ app: 'guide', users: 20 });
    await db.sql`alter table public.posts drop column author_id`;
    const first = await call(db.sql, 'migrate_batch');
    expect(first.status).toBe('preparing');
    expect(first.warnings).toEqual([
      expect.objectContaining({
        severity: 'warning',
        object: 'public.posts',
        hint: expect.stringContaining('manual review'),
      }),
    ]);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await value(db.sql, `select count(*) from imago.plan_write where relation = 'public.posts'`)).toBe(
      '0',
    );
    expect(await value(db.sql, 'select count(*) from public.posts where avatar_id is not null')).toBe('0');
  });

  test('goes one step a transaction; done again, it changes nothing', async () => {
    const db = await database({ app: 'sample', users: 20 });
    // A step whose transaction is lost is done by the next call.
    const lost = await db.sql
      .begin(async (tx) => {
        const answer = await call(tx as unknown as Sql, 'prepare_migration');
        throw new Error(answer.step);
      })
      .catch((error: Error) => error.message);
    expect(await value(db.sql, `select to_regclass('public.avatars')`)).toBeNull();
    const steps = await prepareAll(db.sql);
    expect(steps[0]).toBe(lost);
    expect(new Set(steps).size).toBe(steps.length);
    expect(
      await value(db.sql, `select count(distinct xmin::text)::int from imago.log where event = 'prepare'`),
    ).toBe(steps.length);

    const prepared = await catalog(db.sql);
    expect(await call(db.sql, 'prepare_migration')).toMatchObject({
      status: 'prepared',
      has_more: false,
      step: null,
    });
    await db.sql.unsafe(`
      update imago.plan_step set done_at = null;
      update imago.plan_write set captured_at = null;
      update imago.plan_sync set installed_at = null;
      update imago.plan set prepared_at = null;`);
    expect(await prepareAll(db.sql)).toEqual(steps);
    const again = await catalog(db.sql);
    expect({ ...again, triggers: '' }).toEqual({ ...prepared, triggers: '' });
    // Replaced triggers keep what they say.
    const said = (text = '') =>
      text
        .replace(/\d+ CREATE/g, 'CREATE')
        .split(', ')
        .sort();
    expect(said(again.triggers)).toEqual(said(prepared.triggers));
    await forthAndBack(db.sql);
  });

  test('answers busy while somebody holds a table, and works later', async () => {
    const db = await database({ app: 'sample', users: 20 });
    await db.sql`update imago.setting set value = '20' where name = 'ddl_lock_timeout_ms'`;
    const holder = await db.connect().reserve();
    await holder.unsafe('begin; update public.users set bio = bio');
    expect(await call(db.sql, 'prepare_migration')).toMatchObject({
      status: 'busy',
      has_more: true,
      retry_after_ms: 300,
    });
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({
      status: 'preparing',
      has_more: true,
      retry_after_ms: 300,
    });
    expect(await value(db.sql, `select to_regclass('public.avatars')`)).toBeNull();
    const deferred =
      await db.sql`select level, sqlstate, detail from public.migration_log where event = 'prepare_deferred'`;
    expect([...deferred]).toEqual([
      { level: 'warning', sqlstate: '55P03', detail: { step: 'table avatars' } },
      { level: 'warning', sqlstate: '55P03', detail: { step: 'table avatars' } },
    ]);
    // Nor has the caller's session kept a timeout of ours.
    const timeouts = await db.sql.begin(async (tx) => {
      const before = await value(tx as unknown as Sql, 'show lock_timeout');
      await tx`select public.prepare_migration()`;
      return [before, await value(tx as unknown as Sql, 'show lock_timeout')];
    });
    expect(timeouts[1]).toBe(timeouts[0]);
    await holder`rollback`;
    holder.release();
    await prepareAll(db.sql);
    await forthAndBack(db.sql);
  });

  test('by two callers at once: they share the steps', async () => {
    const db = await database({ app: 'sample', users: 40 });
    const callers = [db.connect(), db.connect()];
    const steps = await Promise.all(callers.map((caller) => prepareAll(caller)));
    const all = steps.flat();
    expect(new Set(all).size).toBe(all.length);
    const logged =
      await db.sql`select detail ->> 'step' as step from imago.log where event = 'prepare' order by id`;
    expect(logged.map((row) => row.step)).toHaveLength(all.length);
    await Promise.all(callers.map((caller) => migrateAll(caller)));
    await expectAllMigrated(db.sql);
  });

  test('by a second caller waits for the step in flight and does the next one', async () => {
    const db = await database({ app: 'sample', users: 10 });
    const first = await db.connect().reserve();
    const second = db.connect();
    const secondPid = await pidOf(second);
    await first`begin`;
    const [row] = await first<{ answer: Answer }[]>`select public.prepare_migration() as answer`;
    const next = call(second, 'prepare_migration');
    await untilBlocked(db.sql, secondPid);
    await first`commit`;
    first.release();
    expect(row?.answer.step).toBe('table avatars');
    expect(await next).toMatchObject({ status: 'preparing', step: 'one default avatar a user' });
  });

  test('by two callers of migrate_batch at once starts one run', async () => {
    const db = await database({ app: 'sample', users: 60 });
    await Promise.all([migrateAll(db.connect()), migrateAll(db.connect())]);
    await expectAllMigrated(db.sql);
    expect(await value(db.sql, `select count(*) from imago.run where state = 'succeeded'`)).toBe(
      await value(db.sql, 'select count(*) from imago.run'),
    );
  });
});
