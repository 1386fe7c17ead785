import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Answer, call, refusal } from '../support/call.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { everything } from '../support/everything.ts';

async function database(options: DatabaseOptions): Promise<TestDatabase> {
  const db = await freshDatabase(options);
  onTestFinished(db.drop);
  return db;
}

const preflight = (sql: Sql) => call(sql, 'dry_run_migration', { mode: 'preflight' });

describe('preflight', () => {
  test('reports on an app, and takes no lock on a table of it', async () => {
    const db = await database({ app: 'sample', users: 10 });
    await db.sql.unsafe('drop index public.posts_user_id_idx');
    const before = await everything(db.sql);
    await db.sql.begin(async (tx) => {
      const report = await preflight(tx as unknown as Sql);
      expect(report).toMatchObject({
        plan: 'avatars',
        mode: 'preflight',
        dry_run: true,
        status: 'done',
        has_more: false,
      });
      expect(report.problems).toEqual([
        {
          severity: 'warning',
          kind: 'no_index',
          object: 'public.posts.user_id',
          message: 'has no index; the walk reads the whole table for each batch',
          hint: 'create index concurrently on public.posts (user_id);',
        },
      ]);
      const locks = await tx`
        select c.oid::regclass::text as relation, l.mode
        from pg_locks l join pg_class c on c.oid = l.relation
        where l.pid = pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())
          and c.relnamespace = 'public'::regnamespace`;
      expect([...locks]).toEqual([]);
      expect(
        await tx`select mode from pg_locks where pid = pg_backend_pid() and mode not in ('AccessShareLock', 'ExclusiveLock')`,
      ).toHaveLength(0);
    });
    expect(await everything(db.sql)).toEqual(before);
  });

  test('does not wait for a session that has the tables locked', async () => {
    const db = await database({ app: 'sample', users: 10 });
    const holder = await db.connect().reserve();
    await holder.unsafe(
      'begin; lock table public.users, public.posts, public.follows in access exclusive mode',
    );
    const caller = db.connect();
    await caller`set lock_timeout = '1ms'`;
    expect(await preflight(caller)).toMatchObject({ problems: [] });
    await holder.unsafe('rollback');
    holder.release();
  });

  test('reports on each plan, of whatever app it is, instead of failing at tables that are not there', async () => {
    const db = await database({ app: 'sample', users: 3 });
    const plans = await db.sql<{ name: string }[]>`select name from imago.plan`;
    for (const { name: plan } of plans) {
      const report = await call(db.sql, 'dry_run_migration', { plan, mode: 'preflight' });
      expect({ plan, mode: report.mode }).toEqual({ plan, mode: 'preflight' });
    }
  });

  test('names every missing table and column, wrong type and wrong owner', async () => {
    const db = await database({ app: 'none' });
    const empty = await preflight(db.sql);
    expect(empty.problems.map((problem: Answer) => [problem.object, problem.message])).toEqual([
      ['public.users', 'table is missing'],
      ['public.posts', 'table is missing'],
      ['public.follows', 'table is missing'],
    ]);
    await db.sql.unsafe(`
      create table public.users (id bigint primary key, active_avatar_id text);
      create table public.posts (id uuid primary key, user_id text);
      create table public.avatars (id integer primary key, owner_user_id uuid, bio jsonb, metadata json, prompt text not null);`);
    const admin = db.connect({ role: 'supabase_admin' });
    await admin.unsafe('create table public.follows (id uuid primary key, followed_id uuid)');
    const { problems } = await preflight(db.sql);
    const errors = problems.filter((problem: Answer) => problem.severity === 'error');
    expect(errors.map((problem: Answer) => `${problem.object} ${problem.message}`).sort()).toEqual([
      'public.avatars.bio has type jsonb',
      'public.avatars.id has type integer',
      'public.avatars.metadata has type json',
      'public.avatars.name column is missing',
      'public.avatars.prompt is not null, has no default, and the plan has no value for it',
      'public.follows is owned by supabase_admin, not by postgres',
      'public.posts.user_id has type text',
      'public.users has neither display_name nor username',
      'public.users.active_avatar_id has type text',
      'public.users.id has type bigint',
    ]);
    const error = await refusal(call(db.sql, 'dry_run_migration', { mode: 'sample' }));
    expect(error.code).toBe('IM006');
    for (const problem of errors) expect(error.message).toContain(`${problem.object} ${problem.message}`);
  });
});
