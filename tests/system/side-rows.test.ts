/** Rows of the app that a plan does not write, and that triggers of the app change within its batches: whose they are, and how they go back. */
import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, type PlanParts } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const TABLES = ['public.users', 'public.faces', 'public.posts'];

/** A plan that inserts a face for each user, and has their posts name it. */
const plan = (name: string, column: 'a' | 'b'): PlanParts => ({
  name,
  table: 'users',
  key: 'id',
  keyType: 'integer',
  pending: `s.${column} is null`,
  apply: `
    insert into public.faces (id, owner, by) select k * 10 + ${column === 'a' ? 1 : 2}, k, '${name}' from unnest(keys) k;
    update public.posts set ${column} = user_id where user_id = any (keys);
    update public.users set ${column} = 1 where id = any (keys);`,
  writes: [
    { relation: 'public.faces', entity: 'owner', inserts: true },
    { relation: 'public.posts', entity: 'user_id', columns: [column] },
    { relation: 'public.users', entity: 'id', columns: [column] },
  ],
});

/** Users with faces of the app's, faces and posts that belong to nobody, and what the app does when one is written. */
async function app(triggers: string, ...plans: PlanParts[]): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(`
    create table public.users (id int primary key, a int, b int);
    create table public.faces (
      id int primary key, owner int, by text, is_default boolean not null default true, version int not null default 1,
      updated_at timestamptz not null default '2020-01-01');
    create table public.posts (id int primary key, user_id int, a int, b int, version int not null default 1);
    insert into public.users select i from generate_series(1, 30) i;
    insert into public.faces select 1000 + i, nullif(i % 31, 0), 'app' from generate_series(1, 62) i;
    insert into public.posts select i, nullif(i % 31, 0) from generate_series(1, 62) i;
    create function public.small() returns trigger language plpgsql as 'begin new.batch_size := 7; return new; end';
    create trigger small before insert or update on imago.lane for each row execute function public.small();
    ${triggers}`);
  for (const parts of plans) await createPlan(db.sql, parts);
  return db;
}

const trigger = (name: string, when: string, body: string) => `
  create function public.${name}() returns trigger language plpgsql as $$ begin ${body} end $$;
  create trigger ${name} ${when} execute function public.${name}();`;

const oneDefault = trigger(
  'one_default',
  'after insert on public.faces for each row',
  'update public.faces set is_default = false where owner = new.owner and id <> new.id and is_default; return null;',
);

/** Forward and back, and everything is as it was. */
async function thereAndBack({ sql }: TestDatabase, plans: string[]): Promise<void> {
  const original = await contents(sql, TABLES);
  for (const name of [...plans].sort()) {
    expect((await migrateAll(sql, { plan: name })).at(-1)).toMatchObject({
      state: 'succeeded',
      failures_left: 0,
    });
  }
  expect(await contents(sql, TABLES)).not.toEqual(original);
  expect(await call(sql, 'rollback_entity', { plan: 'pa', entity: '5' })).toMatchObject({
    rolled_back: true,
  });
  for (const name of plans) {
    expect((await rollbackAll(sql, { plan: name })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
  }
  expect(await contents(sql, TABLES)).toEqual(original);
}

describe('rows of the app in a table in which the plan only inserts go back as they were, where', () => {
  test.each([
    ['the app lets a user have one default', oneDefault],
    [
      'it also counts versions and times, before the row is written',
      `${oneDefault}${trigger(
        'touch',
        'before update on public.faces for each row',
        'new.updated_at := clock_timestamp(); new.version := old.version + 1; return new;',
      )}`,
    ],
    [
      'another one becomes the default when one goes',
      `${oneDefault}${trigger(
        'next_default',
        'after delete on public.faces for each row',
        'update public.faces set is_default = true where id = (select min(id) from public.faces where owner = old.owner); return null;',
      )}`,
    ],
    [
      'a trigger before the insert touches others',
      trigger(
        'touch_others',
        'before insert on public.faces for each row',
        `update public.faces set version = version + 1 where by = 'app'; return new;`,
      ),
    ],
  ])('%s', async (_, triggers) => {
    await thereAndBack(await app(triggers, plan('pa', 'a')), ['pa']);
  });

  test('what the app has written since stays', async () => {
    const db = await app(oneDefault, plan('pa', 'a'));
    await migrateAll(db.sql, { plan: 'pa' });
    await db.sql`update public.faces set is_default = true, version = 7 where id = 1003`;
    await db.sql`update public.faces set is_default = false, version = 8 where id = 1004`;
    expect((await rollbackAll(db.sql, { plan: 'pa' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(
      await value(
        db.sql,
        `select array_agg(version order by id) from public.faces where is_default and id in (1003, 1004)`,
      ),
    ).toEqual([7, 8]);
    expect(await value(db.sql, 'select count(*)::int from public.faces where not is_default')).toBe(0);
  });
});

describe('rows that belong to nobody hold nobody up, and go back as they were, where a trigger of the app', () => {
  const cases: [string, string][] = [
    [
      'counts in one of a table that is updated',
      trigger(
        'count_posts',
        'after update on public.posts for each statement',
        'if pg_trigger_depth() = 1 then update public.posts set version = version + 1 where user_id is null; end if; return null;',
      ),
    ],
    [
      'counts in one of a table in which the plan only inserts, both ways',
      trigger(
        'count_faces',
        'after insert or delete on public.faces for each row',
        'update public.faces set version = version + 1 where owner is null; return null;',
      ),
    ],
    [
      'inserts one',
      trigger(
        'insert_face',
        'after insert on public.faces for each row',
        `if new.owner is not null then insert into public.faces (id, owner, by) values (100000 + new.id, null, 'app'); end if; return null;`,
      ),
    ],
  ];
  const orders = [['pa'], ['pa', 'pb'], ['pb', 'pa']];
  test.each(
    cases.flatMap(([what, triggers]) =>
      orders.map((order) => [what, order.join(', then '), order, triggers] as const),
    ),
  )('%s; %s goes back', async (_, __, order, triggers) => {
    await thereAndBack(await app(triggers, plan('pa', 'a'), plan('pb', 'b')), order);
  });

  test('counts in one: it goes back where the app has since given it another key, or to somebody', async () => {
    const db = await app(cases[0]?.[1] ?? '', plan('pa', 'a'));
    await migrateAll(db.sql, { plan: 'pa' });
    expect(
      await value(db.sql, 'select min(version) from public.posts where user_id is null'),
    ).toBeGreaterThan(1);
    // What the app counts by itself would be a later change.
    await db.sql`alter table public.posts disable trigger count_posts`;
    await db.sql`update public.posts set id = id + 1000 where id = 31`;
    await db.sql`update public.posts set user_id = 3 where id = 62`;
    await db.sql`update public.posts set id = id + 1000 where id = 62`;
    await db.sql`alter table public.posts enable trigger count_posts`;
    expect((await rollbackAll(db.sql, { plan: 'pa' })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await value(db.sql, 'select max(version) from public.posts')).toBe(1);
  });
});
