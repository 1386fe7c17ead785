/** Keys that the app changes: the journal follows them, or the entity is in conflict with a reason. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, forward, PLAN, type PlanParts } from '../support/plan.ts';

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

/** The same app twice: the second never hears of a plan. */
async function pair(app = APP, parts = plan): Promise<{ sql: Sql; control: Sql }> {
  const [db, other] = await Promise.all([freshDatabase({}), freshDatabase({})]);
  databases.push(db, other);
  await Promise.all([db.sql.unsafe(app), other.sql.unsafe(app)]);
  await createPlan(db.sql, parts);
  return { sql: db.sql, control: other.sql };
}

/** After the way back each row is as if nobody had migrated, and the app had changed the same. */
async function expectSame(sql: Sql, control: Sql, tables = TABLES): Promise<void> {
  expect(await contents(sql, tables)).toEqual(await contents(control, tables));
}

describe('keys that the app changes after a run are followed: all goes back, each row with its new key', () => {
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
  ])('%s', async (_, change) => {
    const { sql, control } = await pair();
    await forward(sql, 5);
    await Promise.all([sql.unsafe(change), control.unsafe(change)]);
    await back(sql);
    await expectSame(sql, control);
  });

  test('of rows that the plan has inserted: they are removed', async () => {
    const { sql, control } = await pair();
    await forward(sql, 5);
    await sql`update public.avatars set id = id + 5000`;
    await back(sql);
    await expectSame(sql, control);
  });

  test('half-way there and half-way back', async () => {
    const { sql, control } = await pair();
    const change = async (by: number) => {
      for (const db of [sql, control]) {
        await db`update public.users set id = case when id % 2 = 0 then id + 100 + ${by}::int else - id end`;
        await db`update public.posts set id = id + ${by}::int where user_id > 3`;
      }
    };
    await call(sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 3 });
    while ((await value<number>(sql, 'select count(active)::int from public.users')) === 0) {
      await call(sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 3 });
    }
    await change(3);
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect(await value(sql, 'select count(*)::int from public.users where active is null')).toBe(0);
    while ((await value<number>(sql, 'select count(active)::int from public.users')) === 12) {
      await call(sql, 'rollback_batch', { plan: PLAN, max_ms: 1 });
    }
    await change(-2);
    await back(sql);
    await expectSame(sql, control);
  });

  test('with two plans on the tables: each follows', async () => {
    const { sql, control } = await pair();
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
    for (const db of [sql, control]) {
      await db`update public.posts set id = id + 1`;
      await db`update public.users set id = id + 1000`;
    }
    expect((await rollbackAll(sql, { plan: 'other' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    await back(sql);
    await expectSame(sql, control);
  });

  test('of a table that the plan walks and does not write', async () => {
    const { sql, control } = await pair(APP, {
      ...plan,
      pending: 'not exists (select from public.avatars a where a.user_id = s.id)',
      apply:
        'insert into public.avatars (id, user_id, made_by) select 1000 + u.id, u.id, u.name from public.users u where u.id = any (keys);',
      writes: [{ relation: 'public.avatars', entity: 'user_id', inserts: true }],
    });
    await forward(sql, 5);
    for (const db of [sql, control]) await db`update public.users set id = id + 1000, name = name || 'x'`;
    expect((await call(sql, 'validate_migration', { plan: PLAN })).healthy).toBe(true);
    expect(await call(sql, 'rollback_entity', { plan: PLAN, entity: '1005' })).toMatchObject({
      rolled_back: true,
    });
    await back(sql);
    await expectSame(sql, control);
  });

  test('of rows that move to another partition', async () => {
    const app = `
      create table public.users (id int primary key, done boolean);
      create table public.posts (id int, at int, user_id int references public.users on update cascade, note text, primary key (id, at)) partition by range (at);
      create table public.early partition of public.posts for values from (0) to (100);
      create table public.late partition of public.posts for values from (100) to (200);
      insert into public.users select i from generate_series(1, 8) i;
      insert into public.posts select 10 * u + p, u * p, u from generate_series(1, 8) u, generate_series(1, 2) p;`;
    const { sql, control } = await pair(app, {
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
    });
    await forward(sql);
    for (const db of [sql, control]) {
      await db`update public.posts set at = at + 100 where user_id < 5`;
      await db`update public.early set at = at + 1 where user_id = 5`;
      await db`update public.posts set at = at - 100, user_id = 6 where user_id = 2`;
      await db`update public.users set id = id + 50`;
    }
    await back(sql);
    await expectSame(sql, control, ['public.users', 'public.posts']);
  });

  test('of a user who is held: they stay held', async () => {
    const { sql, control } = await pair();
    await forward(sql, 5);
    await call(sql, 'rollback_entity', { plan: PLAN, entity: '5' });
    for (const db of [sql, control]) await db`update public.users set id = 50 where id = 5`;
    await migrateAll(sql, { plan: PLAN });
    expect(await value(sql, 'select active from public.users where id = 50')).toBe(null);
    expect([...(await sql`select entity, kind from imago.failure`)]).toEqual([
      { entity: '50', kind: 'held' },
    ]);
    expect(await call(sql, 'migrate_entity', { plan: PLAN, entity: '50' })).toMatchObject({
      migrated: true,
    });
    await back(sql);
    await expectSame(sql, control);
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
  ])('%s: conflicts, and with force all but them goes back', async (_, change, lost) => {
    const { sql } = await pair(PARTITIONED, noting);
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

  test('when following fails, the write of the app stands, and rows that are not found are conflicts; deleted ones of other tables are none', async () => {
    const { sql } = await pair();
    await forward(sql, 5);
    const change = sql.begin(async (tx) => {
      await tx`set local lock_timeout = '50ms'`;
      await tx`update public.posts set id = 7 where id = 51`;
    });
    // Whoever holds the journal of the row keeps it from following.
    await sql.begin(async (tx) => {
      await tx`lock table imago_undo.trial_public_posts in share mode`;
      await change;
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

  test('an inserted row that got another owner, and then another key, is a conflict of whom it was made for; the others go back', async () => {
    const { sql } = await pair();
    await forward(sql, 5);
    await sql`update public.avatars set user_id = 6 where id = 1005`;
    await sql`update public.avatars set id = 3000 where id = 1005`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 1 });
    expect([...(await sql`select entity, reason, row_key from imago.failure`)]).toEqual([
      { entity: '5', reason: 'edited', row_key: '3000' },
    ]);
  });

  test('a trigger of the app that gives rows another key while a batch writes them: IM068 for these entities, nothing of them is written', async () => {
    const { sql, control } = await pair();
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
    await expectSame(sql, control);
  });
});
