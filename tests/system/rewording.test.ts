/** State lives in columns: the same story on a database whose every sentence is worded otherwise, each in its own way, ends the same. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp, createSample } from '../../scripts/embedded/sample.ts';
import { readParts, uninstallPart } from '../../scripts/install/parts.ts';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, value } from '../support/call.ts';
import { neverRest } from '../support/cluster.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { cleanUpAll, finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { reword } from '../support/reworded.ts';
import { found, validated } from '../support/validation.ts';

const USERS = 24;

let plain: TestDatabase;
let reworded: TestDatabase;

beforeAll(async () => {
  plain = await freshDatabase();
  reworded = await freshDatabase({ migrated: false });
  for (const { text } of readParts()) {
    await reworded.sql.begin((tx) => tx.unsafe(reword(text).text));
  }
  // As the other is: how much a call does is part of some stories.
  await neverRest(reworded.sql);
});
afterAll(() => Promise.all([plain, reworded].map((db) => db?.drop())));

/** What a story comes to in both databases, one after the other. */
async function both<T>(story: (sql: Sql) => Promise<T>): Promise<{ as_written: T; reworded: T }> {
  return { as_written: await story(plain.sql), reworded: await story(reworded.sql) };
}

/** Tells it in both, expects the same of both, and returns it. */
async function same<T>(story: (sql: Sql) => Promise<T>): Promise<T> {
  const told = await both(story);
  expect(told.reworded).toEqual(told.as_written);
  return told.as_written;
}

/** The figures of an answer: what no word is in. */
const figures = ({ status, state, direction, migrated, rolled_back, failed, conflicts, error }: Answer) => ({
  status,
  state,
  direction,
  migrated,
  rolled_back,
  failed,
  conflicts,
  code: error?.code,
  numbers: error?.message.match(/(?<!\[)\b\d+\b(?!\])/g) ?? undefined,
});

/** The figures of all calls: how much each of them does depends on how fast the machine is. */
const together = (answers: Answer[]) => {
  const sum = (field: string) => answers.reduce((total, answer) => total + Number(answer[field] ?? 0), 0);
  return {
    ...figures(answers.at(-1) ?? {}),
    migrated: sum('migrated'),
    rolled_back: sum('rolled_back'),
    failed: sum('failed'),
    conflicts: sum('conflicts'),
  };
};

const problems = async (sql: Sql, plan: string) =>
  (await call(sql, 'dry_run_migration', { plan, mode: 'preflight' })).problems.map(
    ({ severity, kind, object }: Answer) => [severity, kind, object],
  );

const conflicts = async (sql: Sql) => [
  ...(await sql`
    select entity, table_name, reason_kind, referenced_by from imago.failure
    where kind = 'conflict' order by entity, table_name, reason_kind`),
];

const added = async (sql: Sql) => [
  ...(await sql`select plan, type, names, comment is not null as described from imago.added where type <> 'function' order by plan, names`),
];

const obstacles = async (sql: Sql, plan = 'avatars') =>
  (await call(sql, 'finalize_migration', { plan, dry_run: true })).obstacles.map(({ kind }: Answer) => kind);

const installation = async (sql: Sql) => {
  const { functions, relations, triggers, undo, schemas } = await call(sql, 'inspect_installation');
  return {
    functions: functions.map(({ name, arguments: types, definer, open_to, for_service_role }: Answer) => [
      name,
      types,
      definer,
      open_to,
      for_service_role,
    ]),
    relations: relations.map(({ name, open_to }: Answer) => [name, open_to]),
    triggers,
    undo: undo.map(({ name, kind, plan, state }: Answer) => [name, kind, plan, state]),
    schemas,
  };
};

/** Users by their place in key order. */
const user = (sql: Sql, place: number) =>
  value<string>(sql, 'select id from public.users order by id offset $1 limit 1', [place]);

test('the reworded database has another text for every sentence', async () => {
  const texts = async ({ sql }: TestDatabase) => {
    const rows = await sql<{ text: string }[]>`
      select d.description as text from pg_description d
      where d.classoid in ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass) and d.objoid >= 16384
        and d.description like any ('{Imago%,%step%,%Check: %}') and d.description !~ '^[^ ]* \[[0-9]+\]$'
      union all select message from imago.error
      union all select hint from imago.error
      union all select meaning from imago.plan_check
      union all select remedy from imago.plan_check
      union all select sentence from imago.transition`;
    // A text that is filled in whole is none of ours.
    return rows.map(({ text }) => text).filter((text) => !/^%\d\$s$/.test(text));
  };
  const known = new Set(await texts(plain));
  expect(known.size).toBeGreaterThan(300);
  expect((await texts(reworded)).filter((text) => known.has(text))).toEqual([]);
});

test('each function of the API is named where rights are given and where names are looked for', () => {
  const folder = new URL('../../sql/api/functions/', import.meta.url);
  const names = readdirSync(folder).map((file) => file.replace('.sql', ''));
  for (const file of ['../../sql/api/grants.sql', '../../sql/engine/install_check.sql']) {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    const [, list = ''] = /proname in \(([\s\S]*?)\)/.exec(text) ?? [];
    expect([...list.matchAll(/'(\w+)'/g)].map(([, name]) => name).sort()).toEqual(names.sort());
  }
});

describe('worded otherwise, it ends the same', () => {
  test('the preflight of each plan on an app that does not fit', async () => {
    const found = await same(async (sql) => {
      await sql.unsafe(
        'create table public.users (id integer primary key); create table public."User" (id integer primary key); create table public."Gigs" (id text primary key)',
      );
      const each = {
        avatars: await problems(sql, 'avatars'),
        profile_gigs: await problems(sql, 'profile_gigs'),
        resume_skills: await problems(sql, 'resume_skills'),
        staging_to_production: await problems(sql, 'staging_to_production'),
      };
      await sql.unsafe('drop table public.users, public."User", public."Gigs"');
      return each;
    });
    expect(found.avatars).toContainEqual(['error', 'missing_relation', 'public.posts']);
    expect(found.profile_gigs).toContainEqual(['error', 'wrong_type', 'public."Gigs".id']);
    expect(found.profile_gigs).toContainEqual(['error', 'missing_column', 'public."User".skills']);
    // Columns that prepare adds are not missed.
    expect(JSON.stringify(found.profile_gigs)).not.toContain('isProfileGig');
    expect(found.resume_skills).toEqual([]);
  });

  test('missing indexes and limitations are told apart', async () => {
    const checks = await same(async (sql) => {
      await createSample(sql, USERS);
      await sql.unsafe(
        'alter table public.follows rename column followed_id to target; drop index public.posts_user_id_idx; alter table public.posts rename column user_id to by_whom',
      );
      const answer = await validated(sql);
      await sql.unsafe('alter table public.posts rename column by_whom to user_id');
      const later = await validated(sql);
      await sql.unsafe('create index posts_user_id_idx on public.posts (user_id)');
      await sql.unsafe('alter table public.follows rename column target to followed_id');
      return [answer, later].map((each) => {
        const { missing_indexes, limitations, requirements } = found(each);
        return { missing_indexes, limitations, requirements };
      });
    });
    expect(checks).toMatchObject([{ limitations: 1 }, { missing_indexes: 1, limitations: undefined }]);
  });

  test('forward: past the error budget, again, and done', async () => {
    const answers = await same(async (sql) => {
      expect(await obstacles(sql)).toEqual(['not_migrated']);
      await prepareAll(sql);
      await sql.unsafe(`
        create function public.refuses() returns trigger language plpgsql as $$ begin raise exception using errcode = 'P0001'; end $$;
        create trigger refuses before update on public.users for each row execute function public.refuses();`);
      const stopped = await call(sql, 'migrate_batch', { max_failures: '2' });
      const progress = await call(sql, 'get_detailed_migration_progress');
      const hindered = await obstacles(sql);
      await sql`drop function public.refuses() cascade`;
      await call(sql, 'retry_failed_migrations');
      return {
        stopped: figures(stopped),
        progress: [progress.state, progress.phase, progress.error?.code],
        hindered,
        done: together(await migrateAll(sql)),
        added: await added(sql),
        // What prepare has made is ours.
        preflight: await problems(sql, 'avatars'),
      };
    });
    expect(answers.preflight).toEqual([]);
    expect(answers.stopped).toMatchObject({ status: 'failed', code: 'IM020', numbers: ['3', '2'] });
    expect(answers.hindered).toEqual(['set_aside', 'pending']);
    expect(answers.done).toMatchObject({ status: 'done', state: 'succeeded' });
  });

  test('a fix corrects what its check has found, and its batches name it', async () => {
    const fixed = await same(async (sql) => {
      await sql`
        update public.follows f set avatar_id = (select active_avatar_id from public.users u where u.id = f.follower_id)
        where f.id = (select id from public.follows order by id limit 1)`;
      const before = found(await validated(sql)).follows_with_wrong_avatar;
      const answer = await validated(sql, { fix_issues: true });
      const after = found(await validated(sql)).follows_with_wrong_avatar;
      const batches = await sql`
        select b.path, c.name from imago.batch b join imago.plan_check c on c.id = b.plan_check order by b.id`;
      return {
        before,
        fixed: answer.checks.map((check) => [check.name, check.fixed]),
        after,
        batches: [...batches],
      };
    });
    expect(fixed).toMatchObject({ before: 1, after: undefined });
    expect(fixed.batches).toEqual([{ path: 'fix', name: 'follows_with_wrong_avatar' }]);
  });

  test('rollback: what was edited stays, what was referenced goes back once it is not', async () => {
    const ended = await same(async (sql) => {
      await sql`create table public.badges (id integer primary key, avatar uuid not null references public.avatars (id))`;
      const [edited, referenced, alone] = [await user(sql, 1), await user(sql, 2), await user(sql, 3)];
      await sql`update public.avatars set name = 'Mine' where owner_user_id = ${edited}`;
      await sql`insert into public.badges select 1, id from public.avatars where owner_user_id = ${referenced}`;
      const one = await call(sql, 'rollback_user_migration', { user_id: alone });
      const held = await obstacles(sql);
      const first = together(await rollbackAll(sql));
      const found = await conflicts(sql);
      // A reference may pass while the run goes on, an edit does not.
      const lasting = await sql`select imago.set_aside_keys('avatars', 'rollback', false) as entity`;
      expect(lasting.map(({ entity }) => entity)).toEqual([edited]);
      await sql`delete from public.badges`;
      await sql`drop table public.badges`;
      const second = together(await rollbackAll(sql));
      const left = await conflicts(sql);
      await sql.unsafe(
        'create table public.history (id uuid); create rule ruled as on update to public.users do also insert into public.history values (new.id)',
      );
      await rollbackAll(sql, { force: true });
      const ruled = [
        ...(await sql`
          select sqlstate, raised_by like '% ruled % public.users%' as is_named from imago.failure where kind = 'failed'`),
      ];
      await sql.unsafe('drop rule ruled on public.users; drop table public.history');
      await call(sql, 'retry_failed_migrations');
      const forced = together(await rollbackAll(sql, { force: true }));
      const after = await conflicts(sql);
      return { one: one.rolled_back, held, first, found, second, left, ruled, forced, after };
    });
    expect(ended).toMatchObject({
      one: true,
      held: ['held'],
      first: { conflicts: 2 },
      second: { conflicts: 1 },
    });
    expect(ended.found.map((row) => [row.reason_kind, row.referenced_by])).toEqual([
      ['edited', null],
      ['referenced', 'public.badges'],
    ]);
    expect([ended.left.length, ended.after.length]).toEqual([1, 0]);
    expect(ended.ruled).toEqual([{ sqlstate: '0A000', is_named: true }]);
  });

  test('the doctor sees the same installation', async () => {
    const seen = await same(installation);
    expect(seen.functions.filter(([name]: string[]) => name?.startsWith('public.')).length).toBeGreaterThan(
      25,
    );
  });

  test('clean-up drops what the plan has added, and nothing else', async () => {
    const left = await same(async (sql) => {
      await sql`comment on column public.users.active_avatar_id is 'Ours, whatever it says.'`;
      // Dropped and made again: the app's own.
      await sql.unsafe(
        `drop view avatars.pending; alter table public.follows drop column avatar_id cascade; alter table public.follows add column avatar_id uuid;
         comment on column public.follows.avatar_id is 'Added by Imago plan avatars.'`,
      );
      await cleanUpAll(sql, { older_than: '0' });
      const columns = await sql`
        select attrelid::regclass::text as relation, attname from pg_attribute
        where attname in ('active_avatar_id', 'avatar_id') and not attisdropped and attrelid::regclass::text !~ '[.]'`;
      return { columns: [...columns], avatars: await value(sql, `select to_regclass('public.avatars')`) };
    });
    expect(left).toEqual({ columns: [{ relation: 'follows', attname: 'avatar_id' }], avatars: null });
  });

  test('a plan of two stages is finalized: its comments go, those of people stay', async () => {
    const left = await same(async (sql) => {
      const plan = 'staging_to_production';
      await createApp(sql, new URL('../support/staging_to_production.sql', import.meta.url), 20);
      await migrateAll(sql, { plan });
      await sql`comment on table public."Skill" is 'What a technician can do.'`;
      await validated(sql, { plan, fix_issues: true });
      const hindered = await obstacles(sql, plan);
      const before = (await added(sql)).length;
      const done = (await finalizeAll(sql, { plan })).at(-1)?.state;
      const comments = await sql`
        select relname, obj_description(oid, 'pg_class') as comment from pg_class
        where relnamespace = 'public'::regnamespace and relname in ('Customer', 'Skill', 'Image') order by relname`;
      return { hindered, before, done, comments: [...comments] };
    });
    expect(left).toMatchObject({ hindered: [], done: 'finalized' });
    expect(left.comments).toEqual([
      { relname: 'Customer', comment: null },
      { relname: 'Image', comment: null },
      { relname: 'Skill', comment: 'What a technician can do.' },
    ]);
  });

  test('uninstalling takes our functions, and leaves those of the app of the same name', async () => {
    const left = await same(async (sql) => {
      await sql.unsafe(
        `create function public.migrate_batch(mine integer) returns integer language sql as 'select 1';
         comment on function public.migrate_batch(integer) is 'Imago: not ours.'`,
      );
      await sql.begin((tx) => tx.unsafe(uninstallPart(true).text));
      const names = readdirSync(new URL('../../sql/api/functions/', import.meta.url)).map((file) =>
        file.replace('.sql', ''),
      );
      const functions = await sql`
        select oid::regprocedure::text as name from pg_proc where pronamespace = 'public'::regnamespace
          and (proname = any (${names}) or proname like 'get_user_%')`;
      return [...functions].map(({ name }) => name);
    });
    expect(left).toEqual(['migrate_batch(integer)']);
  });
});
