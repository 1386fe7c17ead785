/** Syncs that fill a column of new rows before these are written, and what an ordinary write of the app causes. */
import type { Sql, TransactionSql } from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, expectOneRowEach, forward, PLAN } from '../support/plan.ts';
import { allChecksums, expectNoTraces } from '../support/state.ts';
import { failedSyncs } from '../support/sync.ts';

const databases: TestDatabase[] = [];
let migrated: TestDatabase;

beforeAll(async () => {
  migrated = await freshDatabase({ app: 'sample', users: 20 });
  await migrateAll(migrated.sql);
  await migrated.sql.end();
});

afterAll(() => migrated.drop());

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** The sample app, all of it migrated. */
async function app(): Promise<TestDatabase> {
  const db = await freshDatabase({ template: migrated.name });
  databases.push(db);
  return db;
}

/** Rows that this transaction has inserted, updated and deleted, by table. */
async function written(tx: Sql | TransactionSql): Promise<Record<string, number[]>> {
  const rows = await tx<{ relation: string; counts: number[] }[]>`
    select schemaname || '.' || relname as relation, array[n_tup_ins, n_tup_upd, n_tup_del]::int[] as counts
    from pg_stat_xact_user_tables where n_tup_ins + n_tup_upd + n_tup_del > 0`;
  return Object.fromEntries(rows.map(({ relation, counts }) => [relation, counts]));
}

/** What a statement writes, in all tables. */
async function rowsWritten(db: TestDatabase, statement: string): Promise<Record<string, number[]>> {
  return await db.connect().begin(async (tx) => {
    const before = await written(tx);
    await tx.unsafe(statement);
    const after = await written(tx);
    return Object.fromEntries(
      Object.entries(after)
        .map(
          ([relation, counts]) => [relation, counts.map((n, i) => n - (before[relation]?.[i] ?? 0))] as const,
        )
        .filter(([, counts]) => counts.some((n) => n !== 0)),
    );
  });
}

/** Bodies of posts, by whether they have the active avatar of their author, and whether the journal has them. */
const posts = async (sql: Sql, like = 'new%') =>
  Object.fromEntries(
    (
      await sql<{ body: string; state: string }[]>`
        select p.body, concat_ws(' ',
          case when p.avatar_id is null then 'empty' when p.avatar_id = u.active_avatar_id then 'active' else 'other' end,
          case when exists (select from imago_undo.avatars_public_posts j where j.key_1 = p.id) then 'journaled' end) as state
        from public.posts p left join public.users u on u.id = p.user_id where p.body like ${like} order by p.body`
    ).map((row) => [row.body, row.state]),
  );

/** The first users by key, with their avatars. */
const someone = async (sql: Sql) =>
  await sql<{ id: string; avatar: string }[]>`
    select id, active_avatar_id as avatar from public.users order by id limit 3`;

describe('what a write of the app causes where all is migrated', () => {
  test('a new post is written once, with one row of the journal and one batch', async () => {
    const db = await app();
    expect(
      await rowsWritten(
        db,
        `insert into public.posts (user_id, body) select id, 'new' from public.users limit 1`,
      ),
    ).toEqual({
      'public.posts': [1, 0, 0],
      'imago_undo.avatars_public_posts': [1, 0, 0],
      'imago.batch': [1, 0, 0],
    });
    expect(await posts(db.sql)).toEqual({ new: 'active journaled' });
  });

  test('many new posts in one statement are written once each, and use no subtransaction each', async () => {
    const db = await app();
    expect(
      await rowsWritten(
        db,
        `insert into public.posts (user_id, body) select u.id, 'new' from public.users u, generate_series(1, 10)`,
      ),
    ).toEqual({
      'public.posts': [200, 0, 0],
      'imago_undo.avatars_public_posts': [200, 0, 0],
      'imago.batch': [1, 0, 0],
    });
    // The locks on their authors and all rows of the journal are of one transaction each.
    expect(
      await value(
        db.sql,
        `select (select count(distinct xmin::text)::int from imago_undo.avatars_public_posts
           where key_1 in (select id from public.posts where body = 'new'))
         + (select count(distinct xmin::text)::int from public.posts where body = 'new')`,
      ),
    ).toBe(2);
    await expectAllMigrated(db.sql);
  });

  test.each([
    ['a post gets another body', `update public.posts set body = 'edited'`, { 'public.posts': [0, 1, 0] }],
    ['a user gets another bio', `update public.users set bio = 'edited'`, { 'public.users': [0, 1, 0] }],
  ])('nothing beside the row where %s', async (_, update, expected) => {
    const db = await app();
    const table = Object.keys(expected)[0];
    expect(await rowsWritten(db, `${update} where id = (select id from ${table} limit 1)`)).toEqual(expected);
  });

  test('a post of a user who is not moved is written once, and nothing beside', async () => {
    const db = await app();
    const [first] = await someone(db.sql);
    await call(db.sql, 'rollback_user_migration', { user_id: first?.id });
    expect(
      await rowsWritten(db, `insert into public.posts (user_id, body) values ('${first?.id}', 'new')`),
    ).toEqual({ 'public.posts': [1, 0, 0] });
    expect(await posts(db.sql)).toEqual({ new: 'empty' });
  });
});

describe('rows that a sync fills', () => {
  test('are seen filled by the statement itself, and go back', async () => {
    const { sql } = await app();
    const original = await allChecksums(sql);
    const [first] = await someone(sql);
    const [row] = await sql<{ avatar: string }[]>`
      insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new') returning avatar_id as avatar`;
    expect(row?.avatar).toBe(first?.avatar);
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
    expect(await value(sql, `select count(*)::int from public.posts where avatar_id is not null`)).toBe(0);
    await sql`delete from public.posts where body = 'new'`;
    expect(Object.keys(original)).toEqual(Object.keys(await allChecksums(sql)));
  });

  test.each([
    ['first', 'desc'],
    ['last', 'asc'],
  ])(
    'are told from those in which the app wrote the column itself, in one statement: these come %s',
    async (_, order) => {
      const { sql } = await app();
      // More than one setting takes.
      await sql.unsafe(`
      insert into public.posts (user_id, body, avatar_id)
      select u.id, format('new %s %s', case when n > 150 then 'own' else 'none' end, n), case when n > 150 then u.active_avatar_id end
      from (select id, active_avatar_id from public.users order by id limit 1) u, generate_series(1, 300) n order by n ${order}`);
      const states = await posts(sql);
      expect(
        new Set(Object.entries(states).map(([body, state]) => `${body.split(' ')[1]}: ${state}`)),
      ).toEqual(new Set(['own: active', 'none: active journaled']));
      expect(Object.keys(states)).toHaveLength(300);
      expect(await failedSyncs(sql)).toEqual([]);
    },
  );

  test('are those of their own statement, where one statement lies in another', async () => {
    const { sql } = await app();
    const [first, second] = await someone(sql);
    await sql.unsafe(`
      create function public.beside(author uuid, avatar uuid) returns text language plpgsql as $$
      begin
        insert into public.posts (user_id, body, avatar_id) values (author, 'new inside ' || (avatar is null), avatar);
        return 'new outside ' || (avatar is null);
      end
      $$;
      create function public.echo() returns trigger language plpgsql as $$
      begin
        if new.body like 'new outside%' then
          insert into public.posts (user_id, body) values (new.user_id, replace(new.body, 'outside', 'echo'));
        end if;
        return new;
      end
      $$;
      create trigger echo before insert on public.posts for each row execute function public.echo();
      insert into public.posts (user_id, body)
      select '${first?.id}', public.beside('${second?.id}', a) from unnest(array[null, '${second?.avatar}']::uuid[]) a`);
    expect(await posts(sql)).toEqual({
      'new echo false': 'active journaled',
      'new echo true': 'active journaled',
      'new inside false': 'active',
      'new inside true': 'active journaled',
      'new outside false': 'active journaled',
      'new outside true': 'active journaled',
    });
    expect(await failedSyncs(sql)).toEqual([]);
  });

  test('are journaled only where they were inserted: on conflict', async () => {
    const { sql } = await app();
    const [first, second] = await someone(sql);
    const id = 'ffffffff-0000-4000-8000-000000000001';
    await sql`insert into public.posts (id, user_id, body) values (${id}, ${first?.id ?? ''}, 'new 1')`;
    for (const action of ['nothing', 'update set body = excluded.body']) {
      await sql.unsafe(`
        insert into public.posts (id, user_id, body)
        values ('${id}', '${first?.id}', 'new 2'), (gen_random_uuid(), '${second?.id}', 'new after ${action.slice(0, 7)}')
        on conflict (id) do ${action}`);
    }
    expect(await posts(sql)).toEqual({
      'new 2': 'active journaled',
      'new after nothing': 'active journaled',
      'new after update ': 'active journaled',
    });
    expect(
      await value(
        sql,
        `select max(n)::int from (select count(*) as n from imago_undo.avatars_public_posts group by key_1) k`,
      ),
    ).toBe(1);
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
  });

  test('are none in a transaction that is taken back to a savepoint, and the next statement fills again', async () => {
    const db = await app();
    const [first] = await someone(db.sql);
    await db.connect().begin(async (tx) => {
      await tx
        .savepoint(async (inner) => {
          await inner`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new gone')`;
          await inner`select 1 / 0`;
        })
        .catch(() => {});
      await tx`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new')`;
    });
    expect(await posts(db.sql)).toEqual({ new: 'active journaled' });
  });

  test.each(['repeatable read', 'serializable'])(
    'are left to the statement of the sync: %s',
    async (level) => {
      const db = await app();
      const [first] = await someone(db.sql);
      await db.connect().begin(`isolation level ${level}`, async (tx) => {
        await tx`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new')`;
      });
      expect(await posts(db.sql)).toEqual({ new: 'active journaled' });
      expect(await failedSyncs(db.sql)).toEqual([]);
    },
  );

  test.each([
    [
      'alter table public.posts add constraint none check (avatar_id is null) not valid',
      'alter table public.posts drop constraint none',
    ],
    ['create unique index one on public.posts (avatar_id, id)', 'drop index public.one'],
    [
      'create unique index concurrently one on public.posts (avatar_id, id)',
      'drop index concurrently public.one',
    ],
    [
      'create policy none on public.posts for insert with check (avatar_id is null)',
      'drop policy none on public.posts',
    ],
    [
      'create trigger seen after insert on public.posts for each row when (new.avatar_id is not null) execute function public.seen()',
      'drop trigger seen on public.posts',
    ],
    [
      'alter table public.posts disable trigger "~imago_~sync_avatars_2_insert"',
      'alter table public.posts enable trigger "~imago_~sync_avatars_2_insert"',
    ],
  ])(
    'are none from the next statement of a session on that has filled rows before: %s',
    async (change, undo) => {
      const db = await app();
      await db.sql.unsafe(
        `create function public.seen() returns trigger language plpgsql as 'begin return null; end'`,
      );
      const session = db.connect();
      const isFilled = async (tx: Sql | TransactionSql = session) => {
        const [row] = await tx<{ filled: boolean }[]>`
        insert into public.posts (user_id, body) select id, gen_random_uuid()::text from public.users limit 1
        returning avatar_id is not null as filled`;
        return row?.filled;
      };
      for (let n = 0; n < 2; n += 1) expect(await isFilled()).toBe(true);
      await db.sql.unsafe(change);
      expect(await isFilled()).toBe(false);
      await db.sql.unsafe(undo);
      expect(await isFilled()).toBe(true);
      if (change.includes('concurrently')) return;
      await session.begin(async (tx) => {
        expect(await isFilled(tx)).toBe(true);
        await tx.unsafe('savepoint before');
        await tx.unsafe(change);
        expect(await isFilled(tx)).toBe(false);
        await tx.unsafe('rollback to before');
        expect(await isFilled(tx)).toBe(true);
      });
    },
  );

  test('are none where the trigger that journals them is switched off', async () => {
    const { sql } = await app();
    const [first] = await someone(sql);
    await sql.unsafe(`alter table public.posts disable trigger "~imago_~sync_avatars_2_insert"`);
    await sql`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new')`;
    expect(await posts(sql)).toEqual({ new: 'empty' });
  });
});

describe('a plan with quoted names and a key of two columns', () => {
  const sync = {
    name: 'levels',
    relation: 'public."Notes"',
    entity: 'Person',
    columns: ['Person'],
    statement: `update public."Notes" t set "The level" = p."The level" from new_rows n join public."People" p on p.id = n."Person"
      where t.a = n.a and t."B" = n."B" and t."The level" is distinct from p."The level"`,
    fills: 'The level',
    fill: `select source."The level" from public."People" source where source.id = new."Person"`,
  };

  async function notes(fill: string): Promise<Sql> {
    const db = await freshDatabase();
    databases.push(db);
    await db.sql.unsafe(`
      create table public."People" (id integer primary key, "The level" integer);
      create table public."Notes" (a integer, "B" text, "Person" integer, "The level" integer, primary key (a, "B"));
      insert into public."People" select n from generate_series(1, 5) n;
      insert into public."Notes" select n, 'x', n from generate_series(1, 5) n`);
    await createPlan(db.sql, {
      table: 'People',
      key: 'id',
      keyType: 'integer',
      pending: `s."The level" is null or exists (select from public."Notes" t where t."Person" = s.id and t."The level" is null)`,
      apply: `
        update public."People" set "The level" = 10 * id where id = any (keys) and "The level" is null;
        update public."Notes" set "The level" = 10 * "Person" where "Person" = any (keys) and "The level" is null;`,
      writes: [
        { relation: 'public."People"', entity: 'id', columns: ['The level'] },
        { relation: 'public."Notes"', entity: 'Person', columns: ['The level'] },
      ],
      syncs: [{ ...sync, fill }],
    });
    return db.sql;
  }

  test('has its rows filled, follows those that change hands, and goes back', async () => {
    const sql = await notes(sync.fill);
    const before = await contents(sql, ['public."People"', 'public."Notes"']);
    await forward(sql);
    await sql.unsafe(`
      insert into public."Notes" values (1, 'new, 1', 1, null), (1, 'new', 2, 77), (2, 'new', 3, null), (3, 'nobody', null, null), (4, 'new', 99, null)`);
    await sql.unsafe(`update public."Notes" set "Person" = 6 - "Person" where "Person" < 3 and "B" = 'x'`);
    expect([
      ...(await sql.unsafe(`select a, "B" as b, "The level" as level from public."Notes" order by 1, 2`)),
    ]).toEqual([
      { a: 1, b: 'new', level: 77 },
      { a: 1, b: 'new, 1', level: 10 },
      { a: 1, b: 'x', level: 50 },
      { a: 2, b: 'new', level: 30 },
      { a: 2, b: 'x', level: 40 },
      { a: 3, b: 'nobody', level: null },
      { a: 3, b: 'x', level: 30 },
      { a: 4, b: 'new', level: null },
      { a: 4, b: 'x', level: 40 },
      { a: 5, b: 'x', level: 50 },
    ]);
    expect(await failedSyncs(sql)).toEqual([]);
    await expectOneRowEach(sql);
    await back(sql);
    expect(
      await value(sql, `select array_agg("The level") from public."Notes" where "The level" is not null`),
    ).toEqual([77]);
    await sql.unsafe(`
      delete from public."Notes" where "B" <> 'x';
      update public."Notes" set "Person" = 6 - "Person" where a < 3`);
    expect(await contents(sql, ['public."People"', 'public."Notes"'])).toEqual(before);
    await expectNoTraces(sql, PLAN);
  });

  test.each([
    ['is of another type', `select 'x'::text from public."People" source where source.id = new."Person"`],
    ['does not read the entity', `select source.a from public."Notes" source where source.a = new."Person"`],
    [
      'names what is not there',
      `select source.gone from public."People" source where source.id = new."Person"`,
    ],
  ])('is not prepared where the query of the value %s', async (_, fill) => {
    const sql = await notes(fill);
    expect((await refusal(prepareAll(sql, PLAN))).code).toMatch(/^(IM035|IM073)$/);
  });
});

describe('a write of the app stands', () => {
  test.each([
    [
      'a check',
      `add constraint refused check (avatar_id is null or body not like 'new%') not valid`,
      '23514',
    ],
    [
      'an exclusion',
      "add constraint refused exclude using btree (avatar_id with =) where (body like 'new%')",
      '23P01',
    ],
  ])('where %s of the app refuses what the sync writes', async (_, constraint, sqlstate) => {
    const { sql } = await app();
    const [first] = await someone(sql);
    await sql.unsafe(`alter table public.posts ${constraint}`);
    for (const n of [1, 2]) {
      await sql`insert into public.posts (user_id, body) values (${first?.id ?? ''}, ${`new ${n}`})`;
    }
    const failed = await failedSyncs(sql);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.at(-1)).toMatchObject({ sqlstate, constraint: 'refused', sync: 'new posts' });
    expect((await posts(sql))['new 2']).toBe('empty');
  });

  test('where an index of the app allows one row for an avatar', async () => {
    const { sql } = await app();
    const [first] = await someone(sql);
    await sql.unsafe(`create unique index refused on public.posts (avatar_id) where body like 'new%'`);
    for (const n of [1, 2]) {
      await sql`insert into public.posts (user_id, body) values (${first?.id ?? ''}, ${`new ${n}`})`;
    }
    expect(await failedSyncs(sql)).toEqual([
      { entities: [first?.id], sqlstate: '23505', sync: 'new posts', constraint: 'refused' },
    ]);
    expect(await posts(sql)).toEqual({ 'new 1': 'active journaled', 'new 2': 'empty' });
  });

  test('where a policy of the app lets nobody write the column', async () => {
    const { sql, connect } = await app();
    const [first] = await someone(sql);
    await sql.unsafe(`
      grant insert on public.posts to anon;
      create policy "visitors write" on public.posts for insert to anon with check (avatar_id is null)`);
    await connect({
      role: 'anon',
    })`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new')`;
    expect(await posts(sql)).toEqual({ new: 'active journaled' });
    expect(await failedSyncs(sql)).toEqual([]);
  });

  test('where a trigger of the app refuses the column', async () => {
    const { sql } = await app();
    const [first] = await someone(sql);
    await sql.unsafe(`
      create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
      create trigger refuse after insert on public.posts for each row when (new.avatar_id is not null) execute function public.refuse()`);
    await sql`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new')`;
    expect(await posts(sql)).toEqual({ new: 'active journaled' });
  });

  test.each([
    ['the column is called otherwise', 'alter table public.posts rename avatar_id to face', 'face'],
    ['the column is gone', 'alter table public.posts drop avatar_id cascade', null],
    [
      'the active avatar is called otherwise',
      'alter table public.users rename active_avatar_id to face',
      'avatar_id',
    ],
    ['the table is called otherwise', 'alter table public.avatars rename to faces', 'avatar_id'],
  ])('where %s', async (_, change, column) => {
    const { sql } = await app();
    const [first] = await someone(sql);
    // The session has filled before, by plans that it keeps.
    const one = databases.at(-1)?.connect() ?? sql;
    await one`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'before')`;
    await sql.unsafe(change);
    await one`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new')`;
    expect(await value(sql, `select count(*)::int from public.posts where body = 'new'`)).toBe(1);
    if (column) {
      expect(await value(sql, `select ${column} is null from public.posts where body = 'new'`)).toBe(true);
    }
  });

  test('where the journal cannot take what was filled: it is emptied again, and counts as a sync that failed', async () => {
    const { sql } = await app();
    const [first] = await someone(sql);
    await sql`alter table imago_undo.avatars_public_posts add constraint refused check (batch < 0) not valid`;
    await sql`insert into public.posts (user_id, body) values (${first?.id ?? ''}, 'new')`;
    expect(await posts(sql)).toEqual({ new: 'empty' });
    expect(await failedSyncs(sql)).toEqual([
      { entities: [first?.id], sqlstate: '23514', sync: 'new posts', constraint: 'refused' },
    ]);
    await sql`alter table imago_undo.avatars_public_posts drop constraint refused`;
    await migrateAll(sql);
    await expectAllMigrated(sql);
  });
});
