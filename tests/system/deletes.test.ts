import { readFileSync } from 'node:fs';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

import { type BatchResult, migrateAll, rollbackAll } from '../support/imago.ts';
import {
  back,
  changePlan,
  contents,
  createPlan,
  forward,
  journal,
  PLAN,
  type PlanParts,
} from '../support/plan.ts';

const databases: TestDatabase[] = [];

async function database(): Promise<Sql> {
  const db = await freshDatabase({ app: 'none' });
  databases.push(db);
  return db.sql;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Contacts, some of them twice, and what refers to them. */
const CONTACTS = `
  create type public.mood as enum ('glad', 'sad');
  create domain public.short as varchar(20);
  create table public."Contacts" (
    id bigint generated always as identity primary key, email text not null, "by" public.short, mood public.mood, moods public.mood[],
    price numeric(12, 4), rate float8, raw json, doc xml, at timestamptz, stay tstzrange, secret bytea,
    label text generated always as (lower(email)) stored, merged int, created_at timestamptz not null default now());
  insert into public."Contacts" (email, "by", mood, moods, price, rate, raw, doc, at, stay, secret, created_at)
  select 'P' || n % 5 || '@example.org', 'x' || n, case n % 3 when 0 then 'glad' when 1 then 'sad' end::public.mood, '{sad,glad}',
    1.50 + n, 0.1::float8 + n, '{"b": 1,  "a": 1}', '<a  b="1"/>', '2020-01-01 00:00:00.123456+00', '[2020-01-01,2021-01-01)', '\\x00ff', '2020-01-01'
  from generate_series(1, 12) n;
  create table public.orders (id int primary key, contact_id bigint references public."Contacts", note text);
  insert into public.orders select n, 1 + n % 12, 'order ' || n from generate_series(1, 30) n;
  create table public.tags (contact_id bigint references public."Contacts" on delete cascade, tag text, primary key (contact_id, tag));
  insert into public.tags select n, t from generate_series(1, 12) n, unnest(array['new', 'old']) t;`;

/** The one that stays is the entity of all that becomes of its doubles. */
const DEDUPE: PlanParts = {
  table: 'Contacts',
  key: 'id',
  keyType: 'bigint',
  pending: `exists (select from public."Contacts" d where d.email = s.email and d.id > s.id)
    and not exists (select from public."Contacts" d where d.email = s.email and d.id < s.id)`,
  apply: `
    update public.orders o set contact_id = k.id
    from public."Contacts" k join public."Contacts" d on d.email = k.email and d.id > k.id
    where k.id = any (keys) and o.contact_id = d.id;
    update public."Contacts" k set merged = (select count(*) from public."Contacts" d where d.email = k.email and d.id > k.id) where k.id = any (keys);
    delete from public.tags t using public."Contacts" k join public."Contacts" d on d.email = k.email and d.id > k.id
    where k.id = any (keys) and t.contact_id = d.id;
    delete from public."Contacts" d using public."Contacts" k where k.id = any (keys) and d.email = k.email and d.id > k.id;`,
  writes: [
    { relation: 'public.orders', entity: 'contact_id', columns: ['contact_id'] },
    {
      relation: 'public.tags',
      entity: 'contact_id',
      deletes: true,
      deleted_entity: `(select min(k.id) from public."Contacts" d join public."Contacts" k on k.email = d.email where d.id = deleted.contact_id)`,
    },
    {
      relation: 'public."Contacts"',
      entity: 'id',
      columns: ['merged'],
      deletes: true,
      deleted_entity: '(select min(k.id) from public."Contacts" k where k.email = deleted.email)',
    },
  ],
};

const TABLES = ['public."Contacts"', 'public.orders', 'public.tags'];

/** Posts that are old go, with what is said of them. */
const POSTS = `
  create table public.posts (id int primary key, slug text unique, old boolean not null, author int, note text default 'none');
  insert into public.posts select n, 'slug ' || n, n % 2 = 0, n % 3, 'note ' || n from generate_series(1, 12) n;
  create table public.comments (id int primary key, post_id int not null references public.posts on delete cascade, text text);
  insert into public.comments select n, 1 + n % 12, 'comment ' || n from generate_series(1, 24) n;`;

const PURGE: PlanParts = {
  table: 'posts',
  key: 'id',
  keyType: 'integer',
  pending: 's.old',
  apply: 'delete from public.posts where id = any (keys) and old;',
  writes: [
    { relation: 'public.posts', entity: 'id', deletes: true },
    { relation: 'public.comments', entity: 'post_id', deletes: true },
  ],
};

async function purged(
  sql: Sql,
  parts: Partial<PlanParts> = {},
  more = '',
): Promise<Record<string, string[]>> {
  await sql.unsafe(`${POSTS} ${more}`);
  await createPlan(sql, { ...PURGE, ...parts });
  return await contents(sql, ['public.posts', 'public.comments']);
}

const conflicts = async (sql: Sql) => [
  ...(await sql`
    select entity, table_name, row_key, reason_kind, referenced_by from imago.failure where kind = 'conflict' order by entity, table_name, row_key`),
];

const failures = async (sql: Sql) => [
  ...(await sql`select entity, kind, sqlstate, table_name from imago.failure order by entity`),
];

const lastOf = async (answers: Promise<BatchResult[]>) => (await answers).at(-1);

describe('deleted rows', () => {
  test('come back as they were, with their keys and what referred to them, forward and back twice', async () => {
    const sql = await database();
    await sql.unsafe(CONTACTS);
    await createPlan(sql, DEDUPE);
    const original = await contents(sql, TABLES);
    for (let round = 0; round < 2; round++) {
      await forward(sql, 2);
      expect(await value(sql, 'select count(*)::int from public."Contacts"')).toBe(5);
      expect(await value(sql, 'select count(*)::int from public.tags')).toBe(10);
      expect((await journal(sql, 'public."Contacts"')).filter(({ op }) => op === 'd')).toHaveLength(7);
      await back(sql);
      expect(await contents(sql, TABLES)).toEqual(original);
    }
    expect(await value(sql, `insert into public."Contacts" (email) values ('new') returning id::int`)).toBe(
      13,
    );
  });

  test('that a foreign key takes along come back with them', async () => {
    const sql = await database();
    const original = await purged(sql);
    await forward(sql, 2);
    expect(await value(sql, 'select count(*)::int from public.comments')).toBe(12);
    await back(sql);
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('are known to progress, and to the rollback of one entity, when nothing of it is left', async () => {
    const sql = await database();
    const original = await purged(sql);
    await forward(sql);
    const figures = { total: 12, migrated: 12, pending: 0 };
    expect(await call(sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject(figures);
    expect(await call(sql, 'rollback_entity', { plan: PLAN, entity: '4' })).toMatchObject({
      rolled_back: true,
      returned: { 'public.posts': 1, 'public.comments': 2 },
      restored: {},
    });
    expect(await call(sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
      total: 12,
      held: 1,
    });
    expect(await lastOf(migrateAll(sql, { plan: PLAN }))).toMatchObject({ state: 'succeeded' });
    expect(await value(sql, 'select count(*)::int from public.posts')).toBe(7);
    expect(await call(sql, 'migrate_entity', { plan: PLAN, entity: '4' })).toMatchObject({ migrated: true });
    expect(await value(sql, 'select count(*)::int from public.posts')).toBe(6);
    await back(sql);
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('stay away while a row of the app has their key or a unique value, and for good when forced', async () => {
    const sql = await database();
    await purged(
      sql,
      {},
      'alter table public.posts add exclude using btree (author with =) where (id > 100)',
    );
    await forward(sql);
    await sql`insert into public.posts (id, slug, old) values (2, 'another', false), (200, 'slug 4', false)`;
    expect(await lastOf(rollbackAll(sql, { plan: PLAN }))).toMatchObject({ state: 'failed', conflicts: 2 });
    expect(await conflicts(sql)).toEqual([
      { entity: '2', table_name: 'public.posts', row_key: '2', reason_kind: 'taken', referenced_by: null },
      { entity: '4', table_name: 'public.posts', row_key: '4', reason_kind: 'taken', referenced_by: null },
    ]);
    expect(await value(sql, 'select count(*)::int from public.posts where old')).toBe(4);
    expect(await value(sql, `select count(*)::int from public.comments where post_id in (2, 4)`)).toBe(0);
    expect(await lastOf(rollbackAll(sql, { plan: PLAN, force: true }))).toMatchObject({ state: 'succeeded' });
    // Comments come back to the post that has the key now; those of a post that stays away go as with it.
    expect(await value(sql, `select slug from public.posts where id = 2`)).toBe('another');
    expect([
      ...(await sql`select post_id, count(*)::int from public.comments where post_id in (2, 4) group by 1`),
    ]).toEqual([{ post_id: 2, count: 2 }]);
    const left = await sql`
      select detail ->> 'relation' as relation, detail ->> 'row_key' as key from imago.log where event = 'left_behind' order by 1, 2`;
    expect([...left]).toEqual([
      { relation: 'public.comments', key: '15' },
      { relation: 'public.comments', key: '3' },
      { relation: 'public.posts', key: '2' },
      { relation: 'public.posts', key: '4' },
    ]);
  });

  test('come back as they were whatever triggers of the app make of new rows', async () => {
    const sql = await database();
    const original = await purged(
      sql,
      {},
      `create function public.zz() returns trigger language plpgsql as $$
         begin new.note := 'new'; new.slug := 'made'; new.id := new.id + 1000; return new; end $$;
       create trigger zz before insert on public.posts for each row execute function public.zz();
       create function public.touch() returns trigger language plpgsql as $$
         begin update public.posts set note = 'touched' where id = new.id; return null; end $$;
       create trigger touch after insert on public.posts for each row execute function public.touch();`,
    );
    await forward(sql);
    const installed = await call(sql, 'inspect_installation');
    const own = [...installed.triggers, ...installed.undo].filter(({ plan }) => plan === PLAN);
    expect(own.filter(({ name }) => /_(delete|give|same)"?$/.test(name))).toHaveLength(8);
    expect(own.filter(({ state }) => state !== 'sound')).toEqual([]);
    await back(sql);
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('are a failure that names them while a trigger of the app keeps them away', async () => {
    const sql = await database();
    const original = await purged(sql);
    await forward(sql);
    await sql.unsafe(`
      create function public.refuse() returns trigger language plpgsql as $$ begin return case when new.id <> 6 then new end; end $$;
      create trigger refuse before insert on public.posts for each row execute function public.refuse();`);
    expect(await lastOf(rollbackAll(sql, { plan: PLAN }))).toMatchObject({ state: 'failed' });
    expect(await failures(sql)).toEqual([
      { entity: '6', kind: 'failed', sqlstate: 'IM061', table_name: 'public.posts' },
    ]);
    await sql.unsafe('drop trigger refuse on public.posts');
    await call(sql, 'retry_failed_migrations', { plan: PLAN });
    await back(sql);
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('that refer to what the app has deleted since stay away: as with it where the foreign key cascades, else as a conflict', async () => {
    const sql = await database();
    await sql.unsafe(`
      create table public.authors (id int primary key);
      create table public.topics (id int primary key);
      insert into public.authors select generate_series(0, 2);
      insert into public.topics select generate_series(0, 2);`);
    await purged(
      sql,
      {},
      `alter table public.posts add foreign key (author) references public.authors on delete cascade, add topic int;
       update public.posts set topic = id % 4 / 2 where id % 3 <> 0;
       alter table public.posts add foreign key (topic) references public.topics;`,
    );
    await forward(sql);
    await sql.unsafe(
      'delete from public.authors where id = 0; update public.posts set topic = null; delete from public.topics where id = 1',
    );
    expect(await lastOf(rollbackAll(sql, { plan: PLAN }))).toMatchObject({ state: 'failed', conflicts: 2 });
    expect(await conflicts(sql)).toEqual(
      ['10', '2'].map((entity) => ({
        entity,
        table_name: 'public.posts',
        row_key: entity,
        reason_kind: 'orphaned',
        referenced_by: 'public.topics',
      })),
    );
    expect([...(await sql`select id from public.posts where old order by id`)].map(({ id }) => id)).toEqual([
      4, 8,
    ]);
  });

  test('follow columns that the app adds, renames, widens and drops, and labels and keys that it changes', async () => {
    const sql = await database();
    await purged(
      sql,
      {},
      `create type public.mood as enum ('glad', 'sad');
       alter table public.posts add mood public.mood default 'glad', add gone text default 'x', add size int default 1,
         add parent int default 1 references public.posts on update cascade`,
    );
    await call(sql, 'migrate_batch', { plan: PLAN, batch_size: 2, max_ms: 1 });
    while ((await value<number>(sql, 'select count(*)::int from public.posts where old')) === 6) {
      await call(sql, 'migrate_batch', { plan: PLAN, batch_size: 2, max_ms: 1 });
    }
    const half = await value<number>(sql, 'select count(*)::int from public.posts where old');
    expect(half).toBeGreaterThan(0);
    await sql.unsafe(`
      alter table public.posts rename note to slug2;
      alter table public.posts rename slug to note;
      alter table public.posts rename slug2 to slug;
      alter table public.posts drop gone, add extra text default 'later', alter size type bigint;
      alter type public.mood rename value 'glad' to 'merry';
      update public.posts set extra = 'own' where old;
      delete from public.comments where post_id = 1;
      update public.posts set id = 21 where id = 1`);
    await forward(sql);
    await back(sql);
    expect([
      ...(await sql`
        select slug, note, mood::text, extra, size::int, parent, count(*) over ()::int as rows from public.posts where id in (2, 12) order by id`),
    ]).toEqual([
      { slug: 'note 2', note: 'slug 2', mood: 'merry', extra: 'later', size: 1, parent: 21, rows: 2 },
      { slug: 'note 12', note: 'slug 12', mood: 'merry', extra: 'own', size: 1, parent: 21, rows: 2 },
    ]);
  });
});

describe('a batch that deletes', () => {
  test.each([
    ['rows of another entity', 'public.comments', 'or id = 7', { deletes: true }],
    ['rows of a table that does not declare it', 'public.comments', '', { columns: ['text'] }],
  ])('%s is refused', async (_, table, more, comments) => {
    const sql = await database();
    const original = await purged(sql, {
      apply: `delete from public.posts where id = any (keys) ${more};`,
      writes: [{ relation: 'public.comments', entity: 'post_id', ...comments }, ...PURGE.writes.slice(0, 1)],
    });
    expect(await lastOf(migrateAll(sql, { plan: PLAN }))).toMatchObject({ state: 'failed' });
    const causes = new Set(
      (await failures(sql)).map(({ sqlstate, table_name }) => `${sqlstate} ${table_name}`),
    );
    expect([...causes]).toEqual([`IM072 ${table}`]);
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('is not begun while a foreign key takes rows along that the plan does not declare', async () => {
    const sql = await database();
    await purged(sql, { writes: PURGE.writes.slice(0, 1) });
    const { problems } = await call(sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(problems).toContainEqual(
      expect.objectContaining({
        severity: 'error',
        kind: 'cascade',
        object: 'comments_post_id_fkey on public.comments',
      }),
    );
  });

  test('is counted and undone by a dry run, which takes declared deletes for what they are', async () => {
    const sql = await database();
    const original = await purged(sql);
    expect(await call(sql, 'dry_run_migration', { plan: PLAN, mode: 'full' })).toMatchObject({
      undeclared: [],
      failed: 0,
      rows: { 'public.posts': 6, 'public.comments': 12 },
    });
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('rows that it has written before, or inserted itself, leaves what was there before the plan', async () => {
    const sql = await database();
    const original = await purged(
      sql,
      {
        apply: `
          update public.posts set note = 'first' where id = any (keys) and old;
          update public.posts set note = 'second' where id = any (keys) and old;
          insert into public.comments select id + 1000, id, 'short-lived' from public.posts where id = any (keys) and old;
          delete from public.comments where post_id = any (keys) and id > 1000;
          delete from public.posts where id = any (keys) and old;`,
        writes: [
          { relation: 'public.comments', entity: 'post_id', inserts: true, deletes: true },
          { relation: 'public.posts', entity: 'id', columns: ['note'], deletes: true },
        ],
      },
      `alter table public.posts add version int default 1;
       create function public.count_up() returns trigger language plpgsql as $$ begin new.version := old.version + 1; return new; end $$;
       create trigger count_up before update on public.posts for each row execute function public.count_up();`,
    );
    await forward(sql, 4);
    expect((await journal(sql, 'public.posts')).map(({ op, old_5, old_6 }) => [op, old_5, old_6])).toEqual(
      [2, 4, 6, 8, 10, 12].map((n) => ['d', `note ${n}`, 1]),
    );
    expect(await journal(sql, 'public.comments')).toHaveLength(12);
    await back(sql);
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('rows that a batch before it has written gives them back as they were before that, unless the app has changed them between', async () => {
    const sql = await database();
    const original = await purged(sql, {
      pending: `s.old and s.note <> 'marked'`,
      apply: `update public.posts set note = 'marked' where id = any (keys) and old;`,
      writes: [
        { relation: 'public.posts', entity: 'id', columns: ['note'], deletes: true },
        { relation: 'public.comments', entity: 'post_id', deletes: true },
      ],
    });
    await forward(sql);
    await sql`update public.posts set note = 'own' where id = 8`;
    await changePlan(sql, PURGE);
    await forward(sql);
    expect(await lastOf(rollbackAll(sql, { plan: PLAN }))).toMatchObject({ state: 'failed', conflicts: 1 });
    expect(await conflicts(sql)).toEqual([
      { entity: '8', table_name: 'public.posts', row_key: '8', reason_kind: 'changed', referenced_by: null },
    ]);
    expect(await lastOf(rollbackAll(sql, { plan: PLAN, force: true }))).toMatchObject({ state: 'succeeded' });
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('makes what another plan wrote in the same rows wait until they are back', async () => {
    const sql = await database();
    const original = await purged(sql);
    await createPlan(sql, {
      name: 'other',
      table: 'posts',
      key: 'id',
      keyType: 'integer',
      pending: `s.note not like 'seen%'`,
      apply: `update public.posts set note = 'seen' where id = any (keys);`,
      writes: [{ relation: 'public.posts', entity: 'id', columns: ['note'] }],
    });
    expect(await lastOf(migrateAll(sql, { plan: 'other' }))).toMatchObject({ state: 'succeeded' });
    expect(await lastOf(migrateAll(sql, { plan: PLAN }))).toMatchObject({ state: 'succeeded' });
    expect(await lastOf(rollbackAll(sql, { plan: 'other' }))).toMatchObject({
      state: 'failed',
      conflicts: 6,
    });
    expect((await conflicts(sql))[0]).toEqual({
      entity: '10',
      table_name: 'public.posts',
      row_key: '10',
      reason_kind: 'deleted',
      referenced_by: PLAN,
    });
    expect(await lastOf(rollbackAll(sql, { plan: PLAN }))).toMatchObject({ state: 'succeeded' });
    await call(sql, 'retry_failed_migrations', { plan: 'other' });
    expect(await lastOf(rollbackAll(sql, { plan: 'other' }))).toMatchObject({ state: 'succeeded' });
    expect(await contents(sql, ['public.posts', 'public.comments'])).toEqual(original);
  });

  test('because a sync does is taken back like any other', async () => {
    const sql = await database();
    await purged(sql, {
      syncs: [
        {
          name: 'posts that grow old',
          relation: 'public.posts',
          entity: 'id',
          events: ['update'],
          columns: ['old'],
          statement: 'delete from public.posts p using new_rows n where p.id = n.id and n.old',
        },
      ],
    });
    await forward(sql);
    await sql`update public.posts set old = true where id in (1, 3)`;
    expect(await value(sql, 'select count(*)::int from public.posts')).toBe(4);
    expect(await value(sql, 'select count(*)::int from imago.sync_failure')).toBe(0);
    await back(sql);
    expect(await value(sql, 'select count(*)::int from public.posts where old')).toBe(8);
    expect(await value(sql, 'select count(*)::int from public.comments')).toBe(24);
  });

  test('writes no journal that forget_entity does not take away with the entity', async () => {
    const sql = await database();
    await purged(sql);
    await forward(sql);
    expect(await call(sql, 'forget_entity', { plan: PLAN, entity: '2' })).toMatchObject({
      forgotten: { 'public.posts': 1, 'public.comments': 2 },
      still_there: false,
    });
    await back(sql);
    expect(await value(sql, 'select count(*)::int from public.posts where old')).toBe(5);
  });
});

test('the plan of docs/write-a-plan.md moves rows to another schema and back, but for those that the app deletes there', async () => {
  const sql = await database();
  const page = readFileSync('docs/write-a-plan.md', 'utf8');
  const [, plan = ''] = /^```sql\n-- archive_posts[^\n]*\n([\s\S]*?)^```$/m.exec(page) ?? [];
  await sql.unsafe(`
    create table public.posts (id bigint generated always as identity primary key, author bigint, title text, read_at timestamptz);
    insert into public.posts (author, title, read_at)
    select n % 3, 'post ' || n, timestamptz '2018-01-01 00:00+00' + n * interval '100 days' from generate_series(1, 12) n`);
  const original = await contents(sql, ['public.posts']);
  // As `imago plan build` writes it into a migration.
  await sql.begin((tx) => tx.unsafe(`set local check_function_bodies = off; ${plan}`));
  const moved = { total: 7, migrated: 7, pending: 0 };
  expect(await lastOf(migrateAll(sql, { plan: 'archive_posts' }))).toMatchObject({ state: 'succeeded' });
  expect(await call(sql, 'get_detailed_migration_progress', { plan: 'archive_posts' })).toMatchObject(moved);
  expect(await value(sql, 'select count(*)::int from archive.posts')).toBe(7);
  await sql`delete from archive.posts where id in (2, 3)`;
  expect(await lastOf(rollbackAll(sql, { plan: 'archive_posts' }))).toMatchObject({ state: 'succeeded' });
  expect(await value(sql, 'select count(*)::int from archive.posts')).toBe(0);
  expect((await contents(sql, ['public.posts']))['public.posts']).toEqual(
    original['public.posts']?.filter((row) => !/^\((2|3),/.test(row)),
  );
});

describe('rows of a partitioned table', () => {
  test('are deleted from partitions and come back to them, moved to another table meanwhile', async () => {
    const sql = await database();
    await sql.unsafe(`
      create table public.events (id int primary key, kind text, done boolean) partition by range (id);
      create table public.events_a partition of public.events for values from (0) to (7);
      create table public.events_b partition of public.events for values from (7) to (100);
      insert into public.events select n, case when n % 2 = 0 then 'a' else 'b' end, n % 3 = 0 from generate_series(1, 12) n;
      create schema archive;
      create table archive.events (id int primary key, kind text, done boolean);`);
    await createPlan(sql, {
      table: 'events',
      key: 'id',
      keyType: 'integer',
      pending: 's.done',
      apply: `
        with gone as (delete from public.events where id = any (keys) and done returning *)
        insert into archive.events select id, kind, done from gone;`,
      writes: [
        { relation: 'public.events', entity: 'id', deletes: true },
        { relation: 'archive.events', entity: 'id', inserts: true },
      ],
    });
    await sql.unsafe(
      'create unique index on public.events_a (id); create unique index on public.events_b (id)',
    );
    const original = await contents(sql, ['public.events_a', 'public.events_b', 'archive.events']);
    await forward(sql);
    expect(await value(sql, 'select count(*)::int from archive.events')).toBe(4);
    await back(sql);
    expect(await contents(sql, ['public.events_a', 'public.events_b', 'archive.events'])).toEqual(original);
  });
});
