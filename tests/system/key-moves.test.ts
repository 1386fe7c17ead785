/** Keys that the app changes: the journal follows them, or the entity is in conflict with a reason. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, madeOnce, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, forward, PLAN, type PlanParts } from '../support/plan.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const TABLES = ['public.users', 'public.posts', 'public.follows', 'public.avatars'];

/** Users and what hangs on them, by foreign keys that follow; follows are known by two users. */
const APP = `
  create table public.users (id int primary key, name text unique, active int);
  create table public.avatars (
    id int primary key, user_id int not null references public.users on update cascade,
    made_by text references public.users (name) on update cascade);
  create table public.posts (
    id int primary key deferrable, user_id int references public.users on update cascade, body text,
    owner int references public.users on update cascade, avatar_id int references public.avatars on update cascade);
  create table public.follows (
    follower int references public.users on update cascade, followed int references public.users on update cascade, avatar_id int,
    primary key (follower, followed));
  insert into public.users select i, 'u' || i from generate_series(1, 12) i;
  insert into public.posts select 10 * u + p, u, 'b' || p, 13 - u from generate_series(1, 12) u, generate_series(1, 2) p;
  insert into public.follows select u, f from generate_series(1, 12) u, generate_series(1, 12) f where f in (u, 13 - u, 1 + u % 12);`;

const plan: PlanParts = {
  table: 'users',
  key: 'id',
  keyType: 'integer',
  pending: 's.active is null',
  apply: `
    insert into public.avatars (id, user_id, made_by) select 1000 + u.id, u.id, u.name from public.users u where u.id = any (keys);
    update public.users set active = 1000 + id where id = any (keys);
    update public.posts set avatar_id = 1000 + user_id, owner = null where user_id = any (keys);
    update public.follows set avatar_id = 1000 + follower where follower = any (keys);`,
  writes: [
    { relation: 'public.avatars', entity: 'user_id', inserts: true },
    { relation: 'public.users', entity: 'id', columns: ['active'] },
    {
      relation: 'public.posts',
      entity: 'user_id',
      columns: ['avatar_id', 'owner'],
      points_to: { avatar_id: 'public.avatars' },
    },
    { relation: 'public.follows', entity: 'follower', columns: ['avatar_id'] },
  ],
};

/** The app before anything is moved, for what a change makes of it. */
const untouched = madeOnce((sql) => sql.unsafe(APP));

const moved = madeOnce(async (sql) => {
  await sql.unsafe(APP);
  await createPlan(sql, plan);
  await forward(sql, 5);
});

/** The app after a run, and what its rows would be if nobody had migrated and the app had made this change. */
async function movedApp(change: string): Promise<{ sql: Sql; expectSame: () => Promise<void> }> {
  const [before, db] = [
    await freshDatabase({ template: await untouched() }),
    await freshDatabase({ template: await moved() }),
  ];
  databases.push(before, db);
  await before.sql.unsafe(change);
  const expected = await contents(before.sql, TABLES);
  return { sql: db.sql, expectSame: async () => expect(await contents(db.sql, TABLES)).toEqual(expected) };
}

/** An app with a plan, and what its rows would be if nobody had migrated and the app had made this change. */
async function app(
  change: string,
  {
    schema = APP,
    parts = plan,
    tables = TABLES,
  }: { schema?: string; parts?: PlanParts; tables?: string[] } = {},
): Promise<{ sql: Sql; expectSame: () => Promise<void> }> {
  const db = await freshDatabase({});
  databases.push(db);
  const { sql } = db;
  await sql.unsafe(schema);
  let expected: Record<string, string[]> = {};
  await sql
    .begin(async (tx) => {
      await tx.unsafe(change);
      expected = await contents(tx as unknown as Sql, tables);
      throw new Error('taken back');
    })
    .catch((error: Error) => expect(error.message).toBe('taken back'));
  await createPlan(sql, parts);
  return { sql, expectSame: async () => expect(await contents(sql, tables)).toEqual(expected) };
}

describe('keys that the app changes after a run', () => {
  test.each([
    ['of one user, and of what refers to them', 'update public.users set id = 50 where id = 5'],
    ['of all users at once', 'update public.users set id = id + 1000'],
    [
      'of a user, twice',
      'update public.users set id = 50 where id = 5; update public.users set id = 51 where id = 50',
    ],
    [
      'of a user, there and back',
      'update public.users set id = 50 where id = 5; update public.users set id = 5 where id = 50',
    ],
    [
      'of two users that change places by way of a third key',
      'update public.users set id = 99 where id = 5; update public.users set id = 5 where id = 8; update public.users set id = 8 where id = 99',
    ],
    [
      'of a user, and of one who gets that key after them',
      'update public.users set id = 50 where id = 5; update public.users set id = 5 where id = 6',
    ],
    ['by which inserted rows know a user', `update public.users set name = 'new' where id = 5`],
    ['of rows that the plan updates', 'update public.posts set id = id + 5000'],
    [
      'of two rows that change places in one statement',
      'update public.posts set id = case id when 51 then 62 else 51 end where id in (51, 62)',
    ],
    ['of rows in a chain', 'update public.posts set id = id + 1'],
    [
      'of a row that is deleted then',
      'update public.posts set id = 7 where id = 51; delete from public.posts where id = 7',
    ],
    [
      'in a statement that touches everything',
      `update public.users set id = id + 100, name = name || 'x'; update public.posts set id = id + 1, body = 'x'`,
    ],
    [
      'and of rows that change hands',
      'update public.posts set user_id = 6, id = 7 where id = 51; update public.posts set id = 8 where id = 7',
    ],
    [
      'and of rows that nobody has any more',
      'update public.posts set user_id = null where user_id < 7; update public.posts set id = 7 where id = 51; delete from public.posts where id in (52, 61)',
    ],
    ['by an upsert', `insert into public.users values (5, 'u5') on conflict (name) do update set id = 77`],
    [
      'by a merge',
      'merge into public.users u using (values (5), (6)) v(id) on v.id = u.id when matched then update set id = u.id + 70',
    ],
    [
      'by a trigger, as another column changes',
      `create function public.name_it() returns trigger language plpgsql as $$ begin new.id := new.id + 300; return new; end $$;
       create trigger name_it before update of name on public.users for each row execute function public.name_it();
       update public.users set name = name || '!' where id in (5, 6); drop trigger name_it on public.users`,
    ],
    [
      'under another name than at first',
      `alter table public.users rename id to number; alter table public.users rename to people;
       alter table public.posts rename user_id to person; update public.people set number = 50 where number = 5; update public.posts set id = 7 where id = 61;
       alter table public.people rename to users; alter table public.users rename number to id; alter table public.posts rename person to user_id`,
    ],
    [
      'next to changes that are not kept',
      `do $$ begin
         begin update public.users set id = 50 where id = 5; raise exception 'no'; exception when raise_exception then null; end;
         update public.users set id = 60 where id = 6;
       end $$`,
    ],
  ])('new keys %s: all goes back, each row with its own', async (_, change) => {
    const { sql, expectSame } = await movedApp(change);
    await sql.unsafe(change);
    await back(sql);
    await expectSame();
  });

  test('new keys of rows that the plan has inserted: they are removed', async () => {
    const { sql, expectSame } = await movedApp('');
    await sql`update public.avatars set id = id + 5000`;
    await back(sql);
    await expectSame();
  });

  test('new keys half-way there and half-way back: all are moved, and all goes back', async () => {
    const change = (by: number) => `
      update public.users set id = case when id % 2 = 0 then id + 100 + ${by} else - id end;
      update public.posts set id = id + ${by} where user_id > 3;`;
    const { sql, expectSame } = await app(change(3) + change(-2));
    await call(sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 3 });
    while ((await value<number>(sql, 'select count(active)::int from public.users')) === 0) {
      await call(sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 3 });
    }
    await sql.unsafe(change(3));
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await value(sql, 'select count(*)::int from public.users where active is null')).toBe(0);
    while ((await value<number>(sql, 'select count(active)::int from public.users')) === 12) {
      await call(sql, 'rollback_batch', { plan: PLAN, max_ms: 1 });
    }
    await sql.unsafe(change(-2));
    await back(sql);
    await expectSame();
  });

  test('new keys under two plans: each takes its own back', async () => {
    const change = 'update public.posts set id = id + 1; update public.users set id = id + 1000';
    const { sql, expectSame } = await app(change);
    await createPlan(sql, {
      name: 'other',
      table: 'posts',
      key: 'id',
      keyType: 'integer',
      pending: `s.body like 'b%'`,
      apply: `update public.posts set body = 'c' || substr(body, 2) where id = any (keys);`,
      writes: [{ relation: 'public.posts', entity: 'id', columns: ['body'] }],
    });
    await forward(sql);
    await migrateAll(sql, { plan: 'other' });
    await sql.unsafe(change);
    expect((await rollbackAll(sql, { plan: 'other' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    await back(sql);
    await expectSame();
  });

  test('new keys of a table that the plan walks and does not write: one entity goes back alone by its new key, then all', async () => {
    const change = `update public.users set id = id + 1000, name = name || 'x'`;
    const { sql, expectSame } = await app(change, {
      parts: {
        ...plan,
        pending: 'not exists (select from public.avatars a where a.user_id = s.id)',
        apply:
          'insert into public.avatars (id, user_id, made_by) select 1000 + u.id, u.id, u.name from public.users u where u.id = any (keys);',
        writes: [{ relation: 'public.avatars', entity: 'user_id', inserts: true }],
      },
    });
    await forward(sql, 5);
    await sql.unsafe(change);
    expect((await call(sql, 'validate_migration', { plan: PLAN })).healthy).toBe(true);
    expect(await call(sql, 'rollback_entity', { plan: PLAN, entity: '1005' })).toMatchObject({
      rolled_back: true,
    });
    await back(sql);
    await expectSame();
  });

  test('new keys of rows that move to another partition: all goes back', async () => {
    const schema = `
      create table public.users (id int primary key, done boolean);
      create table public.posts (id int, at int, user_id int references public.users on update cascade, note text, primary key (id, at)) partition by range (at);
      create table public.early partition of public.posts for values from (0) to (100);
      create table public.late partition of public.posts for values from (100) to (200);
      insert into public.users select i from generate_series(1, 8) i;
      insert into public.posts select 10 * u + p, u * p, u from generate_series(1, 8) u, generate_series(1, 2) p;`;
    const change = `
      update public.posts set at = at + 100 where user_id < 5;
      update public.early set at = at + 1 where user_id = 5;
      update public.posts set at = at - 100, user_id = 6 where user_id = 2;
      update public.users set id = id + 50;`;
    const { sql, expectSame } = await app(change, {
      schema,
      tables: ['public.users', 'public.posts'],
      parts: {
        table: 'users',
        key: 'id',
        keyType: 'integer',
        pending: 's.done is null',
        apply: `
        update public.users set done = true where id = any (keys);
        update public.posts set note = 'moved' where user_id = any (keys);`,
        writes: [
          { relation: 'public.users', entity: 'id', columns: ['done'] },
          { relation: 'public.posts', entity: 'user_id', columns: ['note'] },
        ],
      },
    });
    await forward(sql);
    await sql.unsafe(change);
    await back(sql);
    await expectSame();
  });

  test('a new key of a user who is held: they stay held', async () => {
    const change = 'update public.users set id = 50 where id = 5';
    const { sql, expectSame } = await movedApp(change);
    await call(sql, 'rollback_entity', { plan: PLAN, entity: '5' });
    await sql.unsafe(change);
    await migrateAll(sql, { plan: PLAN });
    expect(await value(sql, 'select active from public.users where id = 50')).toBe(null);
    expect([...(await sql`select entity, kind from imago.failure`)]).toEqual([
      { entity: '50', kind: 'held' },
    ]);
    expect(await call(sql, 'migrate_entity', { plan: PLAN, entity: '50' })).toMatchObject({
      migrated: true,
    });
    await back(sql);
    await expectSame();
  });
});

test('keys that change while the plan is prepared once more: neither the app nor the step waits for the other', async () => {
  const db = await freshDatabase({});
  databases.push(db);
  await db.sql.unsafe(APP);
  await createPlan(db.sql, plan);
  await forward(db.sql);
  await back(db.sql);
  // Long enough for a deadlock to be found, if there were one.
  await db.sql`update imago.setting set value = '20000' where name = 'ddl_lock_timeout_ms'`;
  for (const step of ['avatars', 'users']) {
    expect(await call(db.sql, 'prepare_migration', { plan: PLAN })).toMatchObject({
      step: `journal public.${step}`,
    });
  }
  const [writer, preparer] = [db.connect({ max: 1 }), db.connect({ max: 1 })];
  const pid = await pidOf(preparer);
  await writer`begin`;
  await writer`update public.posts set body = 'x' where id = 51`;
  const prepared = call(preparer, 'prepare_migration', { plan: PLAN });
  await untilBlocked(db.sql, pid);
  // The journal of posts follows it.
  await writer`update public.users set id = 50 where id = 5`;
  await writer`commit`;
  expect(await prepared).toMatchObject({ status: 'preparing', step: 'journal public.posts' });
});

describe('keys that the app changes under every kind of plan', () => {
  test('new keys of two stages whose entities no foreign key follows, and then of what was made of them: all goes back', async () => {
    const schema = `
      create table public.pictures (id int primary key, url text);
      create table public.images (id int primary key, url text);
      create table public.owners (id text primary key, picture int, label text, image int references public.images on update cascade);
      insert into public.pictures select n, 'url ' || n from generate_series(1, 9) n;
      insert into public.owners select 'o' || n, n, 'owner ' || n from generate_series(1, 9) n;`;
    const change = `update public.pictures set id = id + 100; update public.owners set id = id || '!'`;
    const { sql, expectSame } = await app(change, {
      schema,
      tables: ['public.pictures', 'public.images', 'public.owners'],
      parts: {
        table: 'pictures',
        key: 'id',
        keyType: 'integer',
        pending: `not exists (select from public.images i where i.url = s.url)`,
        apply: 'insert into public.images select p.id, p.url from public.pictures p where p.id = any (keys);',
        writes: [
          { relation: 'public.images', entity: 'id', inserts: true },
          {
            stage: 2,
            relation: 'public.owners',
            entity: 'id',
            columns: ['image'],
            points_to: { image: 'public.images' },
          },
        ],
        stages: [
          {
            table: 'owners',
            key: 'id',
            keyType: 'text',
            pending: 's.image is null',
            apply: 'update public.owners o set image = o.picture where o.id = any (keys);',
          },
        ],
      },
    });
    await forward(sql, 4);
    await sql.unsafe(change);
    await sql`update public.images set id = id + 1000`;
    await back(sql);
    await expectSame();
  });

  test('new keys of rows that several entities share: they are removed', async () => {
    const schema = `
      create table public.shops (id text primary key, name text);
      create table public.orders (id int primary key, shop text, found text references public.shops on update cascade);
      insert into public.orders select n, 's' || n % 3 from generate_series(1, 9) n;`;
    const change = 'update public.orders set id = id + 50';
    const { sql, expectSame } = await app(change, {
      schema,
      tables: ['public.shops', 'public.orders'],
      parts: {
        table: 'orders',
        key: 'id',
        keyType: 'integer',
        pending: 's.found is null',
        apply: `
        insert into public.shops select distinct o.shop, 'placeholder' from public.orders o where o.id = any (keys) on conflict do nothing;
        update public.orders o set found = o.shop where o.id = any (keys);`,
        writes: [
          { relation: 'public.shops', entity: null, inserts: true },
          {
            relation: 'public.orders',
            entity: 'id',
            columns: ['found'],
            points_to: { found: 'public.shops' },
          },
        ],
      },
    });
    await forward(sql, 4);
    await sql`update public.shops set id = upper(id) || ' & co'`;
    await sql.unsafe(change);
    await back(sql);
    await expectSame();
  });

  test('new keys where both sides are mirrored: writes go on being followed under the new keys, and are no conflict', async () => {
    const schema = `
      create table public.people (id int primary key, city text);
      create table public.profiles (id int primary key, person int references public.people on update cascade, city text);
      insert into public.people select n, 'c' || n from generate_series(1, 6) n;`;
    const change = `update public.people set id = id + 20, city = city || case when id > 3 then '?' else '' end || case when id < 5 then '!' else '' end`;
    const { sql, expectSame } = await app(change, {
      schema,
      tables: ['public.people', 'public.profiles'],
      parts: {
        table: 'people',
        key: 'id',
        keyType: 'integer',
        pending: 'not exists (select from public.profiles f where f.person = s.id)',
        apply:
          'insert into public.profiles select 100 + p.id, p.id, p.city from public.people p where p.id = any (keys);',
        writes: [{ relation: 'public.profiles', entity: 'person', inserts: true }],
        syncs: [
          {
            name: 'people',
            relation: 'public.people',
            entity: 'id',
            events: ['update'],
            columns: ['city'],
            statement:
              'update public.profiles f set city = n.city from new_rows n where f.person = n.id and f.city is distinct from n.city',
          },
          {
            name: 'profiles',
            relation: 'public.profiles',
            entity: 'person',
            events: ['update'],
            columns: ['city'],
            direction: 'back',
            strict: true,
            statement:
              'update public.people p set city = n.city from new_rows n where p.id = n.person and p.city is distinct from n.city',
          },
        ],
      },
    });
    await forward(sql, 4);
    await sql`update public.people set id = id + 10`;
    await sql`update public.profiles set id = id + 1000`;
    await sql`update public.profiles set city = city || '?' where person > 13`;
    await sql`update public.people set city = city || '!' where id < 15`;
    await sql`update public.people set id = id + 10`;
    await back(sql);
    await expectSame();
  });

  test('new keys of users of the plan avatars: all goes back', async () => {
    const db = await freshDatabase({ app: 'sample', users: 30 });
    databases.push(db);
    const { sql } = db;
    await sql.unsafe(`
      do $$
      declare c record;
      begin
        for c in select conrelid::regclass as relation, conname, pg_get_constraintdef(oid) as definition from pg_constraint
                 where confrelid = 'public.users'::regclass and contype = 'f' loop
          execute format('alter table %s drop constraint %I, add constraint %2$I %s on update cascade', c.relation, c.conname, c.definition);
        end loop;
      end $$;
      create table public.posts_before as select * from public.posts;
      create table public.follows_before as select * from public.follows;`);
    await migrateAll(sql);
    await sql`update public.users set id = md5(id::text)::uuid where id in (select id from public.users order by id limit 20)`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await value(sql, 'select count(*)::int from public.avatars')).toBe(0);
    expect(
      await value(
        sql,
        `select count(*)::int from public.posts p join public.posts_before b using (id)
         where p.avatar_id is not null or p.user_id not in (b.user_id, md5(b.user_id::text)::uuid) or p.updated_at <> b.updated_at and p.user_id = b.user_id`,
      ),
    ).toBe(0);
    expect(
      await value(sql, 'select count(*)::int from public.users where active_avatar_id is not null'),
    ).toBe(0);
  });
});

describe('keys that cannot be followed are named', () => {
  const PARTITIONED = `
    create table public.users (id int primary key, done boolean);
    create table public.posts (id int, at int, user_id int, note text, primary key (id, at)) partition by range (at);
    create table public.early partition of public.posts for values from (0) to (100);
    create table public.late partition of public.posts for values from (100) to (200);
    insert into public.users select i from generate_series(1, 6) i;
    insert into public.posts select 10 * u, u, u from generate_series(1, 6) u;`;
  const noting: PlanParts = {
    table: 'users',
    key: 'id',
    keyType: 'integer',
    pending: 's.done is null',
    apply: `
      update public.users set done = true where id = any (keys);
      update public.posts set note = 'moved' where user_id = any (keys);`,
    writes: [
      { relation: 'public.users', entity: 'id', columns: ['done'] },
      { relation: 'public.posts', entity: 'user_id', columns: ['note'] },
    ],
  };

  test.each([
    [
      'of rows that merge moves to another partition',
      'merge into public.posts p using (values (20), (30)) v(id) on v.id = p.id when matched then update set at = p.at + 100',
      ['2', '3'],
    ],
    [
      'of rows some of which a trigger keeps from coming to another partition',
      `create function public.stop() returns trigger language plpgsql as $$ begin if new.id = 30 then return null; end if; return new; end $$;
       create trigger stop before insert on public.late for each row execute function public.stop();
       update public.posts set at = at + 100 where id in (20, 30, 40)`,
      ['2', '3', '4'],
    ],
  ])('new keys %s: conflicts, and with force all but them goes back', async (_, change, lost) => {
    const { sql } = await app('', { schema: PARTITIONED, parts: noting, tables: [] });
    await forward(sql);
    await sql.unsafe(change);
    expect((await call(sql, 'validate_migration', { plan: PLAN })).healthy).toBe(false);
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'failed',
      conflicts: lost.length,
    });
    const conflicts = await sql`select entity, reason, table_name from imago.failure order by entity`;
    expect([...conflicts]).toEqual(
      lost.map((entity) => ({ entity, reason: 'rekeyed', table_name: 'public.posts' })),
    );
    expect((await rollbackAll(sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await value(sql, `select count(*)::int from imago.log where event = 'left_behind'`)).toBe(
      lost.length,
    );
    expect(await value(sql, 'select count(*)::int from imago.lost_row')).toBe(0);
  });

  test('when following a new key fails, the write of the app stands, and rows that are not found are conflicts; deleted ones of other tables are none', async () => {
    const { sql } = await app('');
    await forward(sql, 5);
    // A session that holds the journal of the row keeps it from following.
    await sql.begin(async (holder) => {
      await holder`lock table imago_undo.trial_public_posts in share mode`;
      await sql.begin(async (tx) => {
        await tx`set local lock_timeout = '50ms'`;
        await tx`update public.posts set id = 7 where id = 51`;
      });
    });
    await sql`delete from public.follows where follower = 6`;
    expect(await value(sql, 'select count(*)::int from public.posts where id = 7')).toBe(1);
    expect([...(await sql`select detail, sqlstate from imago.log where event = 'keys_lost'`)]).toEqual([
      { detail: { relation: 'public.posts' }, sqlstate: '55P03' },
    ]);
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 1 });
    expect([...(await sql`select entity, reason, row_key from imago.failure`)]).toEqual([
      { entity: '5', reason: 'rekeyed', row_key: '51' },
    ]);
  });

  test('an inserted row that got another owner, and then another key, is a conflict of the user that it was made for; the others go back', async () => {
    const { sql } = await app('');
    await forward(sql, 5);
    await sql`update public.avatars set user_id = 6 where id = 1005`;
    await sql`update public.avatars set id = 3000 where id = 1005`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 1 });
    expect([...(await sql`select entity, reason, row_key from imago.failure`)]).toEqual([
      { entity: '5', reason: 'edited', row_key: '3000' },
    ]);
  });

  test('a trigger of the app that gives rows another key while a batch writes them: IM068 for these entities, nothing of them is written', async () => {
    const { sql, expectSame } = await app('');
    await sql.unsafe(`
      create function public.renumber() returns trigger language plpgsql as $$
        begin if new.user_id in (3, 4) then new.id := old.id + 1000; end if; return new; end $$;
      create trigger renumber before update on public.posts for each row execute function public.renumber();`);
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'failed',
      failures_left: 2,
    });
    const failures = await sql`select entity, sqlstate, table_name from imago.failure order by entity`;
    expect([...failures]).toEqual(
      ['3', '4'].map((entity) => ({ entity, sqlstate: 'IM068', table_name: 'public.posts' })),
    );
    await back(sql);
    await expectSame();
  });

  test('journal that comes to an entity while it goes back: nothing of the entity is taken back until it is read as well', async () => {
    const { sql, expectSame } = await app('');
    await forward(sql, 5);
    // What a transaction in flight would add, just after the rows of the entity were restored.
    await sql.unsafe(`
      create function public.add_journal() returns trigger language plpgsql as $$
        begin
          insert into imago_undo.trial_public_follows select * from imago_undo.trial_public_follows where entity = new.id limit 1;
          return null;
        end $$;
      create trigger add_journal after update on public.users for each row when (old.id = 5) execute function public.add_journal();`);
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed' });
    expect([...(await sql`select entity, kind, sqlstate from imago.failure`)]).toEqual([
      { entity: '5', kind: 'deferred', sqlstate: '40001' },
    ]);
    expect(await value(sql, 'select active from public.users where id = 5')).toBe(1005);
    await sql`drop trigger add_journal on public.users`;
    await back(sql);
    await expectSame();
  });

  test('a plan that declares a column of a primary key is refused by its preflight', async () => {
    const { sql } = await app('', {
      parts: {
        ...plan,
        writes: [{ relation: 'public.follows', entity: 'follower', columns: ['followed'] }],
      },
    });
    const error = await refusal(call(sql, 'migrate_batch', { plan: PLAN }));
    expect(error).toMatchObject({
      code: 'IM006',
      message: expect.stringContaining('public.follows.followed is part of the primary key'),
    });
  });
});
