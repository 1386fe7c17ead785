/** A table that a plan makes is no more open than the one that its rows come from: for each role, row by row, column by column. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { asRole } from '../support/as-role.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import staging from '../support/conformance/staging_to_production.ts';
import { finalize, prepare } from '../support/conformance/steps.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const USERS = 12;
const user = (n: number) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`;

/** An app with private profiles: `rules` says who may read and write them. */
async function app(rules: string): Promise<Sql> {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(`
    create table public.users (id uuid primary key, username text, display_name text, bio text, avatar_url text, deleted_at timestamptz);
    create table public.posts (id serial primary key, user_id uuid references public.users on delete cascade, body text);
    create table public.follows (id serial primary key, follower_id uuid, followed_id uuid references public.users on delete cascade);
    create index on public.posts (user_id);
    create index on public.follows (followed_id);
    insert into public.users (id, username, bio, deleted_at)
    select format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0'))::uuid, 'u' || n, 'secret of ' || n, case when n = 3 then now() end
    from generate_series(1, ${USERS}) n;
    insert into public.posts (user_id, body) select id, 'post' from public.users;
    insert into public.follows (follower_id, followed_id) select id, '${user(1)}' from public.users where id <> '${user(1)}';
    ${rules}`);
  return db.sql;
}

const RLS = 'alter table public.users enable row level security;';
const SELECT = 'grant select on public.users to anon, authenticated, service_role;';
const ROLES = [
  ['anon', null],
  ['authenticated', user(1)],
  ['authenticated', user(3)],
  ['service_role', null],
] as const;

/** Whose rows of a table a role reads, and which of the columns; refused: by which code. */
async function reads(sql: Sql, role: string, sub: string | null, table: string, owner: string) {
  const rows = await asRole(sql, role, sub, async (tx) => [
    ...(await tx.unsafe(`select ${owner}::text as owner from ${table} order by 1`)),
  ]).catch((error) => (error as { code: string }).code);
  const bio = await asRole(sql, role, sub, (tx) => tx.unsafe(`select count(bio) from ${table}`)).then(
    () => true,
    (error) => (error as { code: string }).code,
  );
  return { rows: Array.isArray(rows) ? rows.map(({ owner: of }) => of) : rows, bio };
}

describe('avatars are as visible as users, where', () => {
  const cases: [what: string, rules: string][] = [
    [
      'people see themselves',
      `${RLS}${SELECT} create policy own on public.users for select using (auth.uid() = id);`,
    ],
    [
      'who is deleted is hidden',
      `${RLS}${SELECT} create policy alive on public.users using ((select auth.uid()) is not null and deleted_at is null);`,
    ],
    ['there is no row level security', SELECT],
    ['row level security is on, and no policy', `${RLS}${SELECT}`],
    ['nobody has a right', ''],
    ['nobody has a right, under row level security', RLS],
    [
      'a policy is for one role',
      `${RLS}${SELECT} create policy a on public.users for select to authenticated using (true);`,
    ],
    [
      'policies are for writing only',
      `${RLS}${SELECT} create policy a on public.users for update using (true);`,
    ],
    [
      'a restrictive policy takes some away',
      `${RLS}${SELECT} create policy a on public.users using (true); create policy b on public.users as restrictive using (deleted_at is null);`,
    ],
    [
      'some columns are granted',
      'grant select (id, username, display_name) on public.users to anon, authenticated;',
    ],
    [
      'the key is not granted',
      'grant select (username, bio) on public.users to anon; grant select on public.users to service_role;',
    ],
    [
      'everybody was granted the right',
      `${RLS} grant select on public.users to public; create policy a on public.users using (true);`,
    ],
    [
      'the owner is subject to policies',
      `${RLS}${SELECT} alter table public.users force row level security; create policy own on public.users using (auth.uid() = id);`,
    ],
    [
      'default privileges open what is new',
      `${RLS} grant select on public.users to authenticated; create policy own on public.users using (auth.uid() = id);
       alter default privileges in schema public grant all on tables to anon, authenticated, service_role;`,
    ],
  ];
  test.each(cases)('%s', async (_, rules) => {
    const sql = await app(rules);
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(sql);
    for (const [role, sub] of ROLES) {
      const users = await reads(sql, role, sub, 'public.users', 'id');
      const avatars = await reads(sql, role, sub, 'public.avatars', 'owner_user_id');
      expect({ role, sub, ...avatars }).toEqual({
        role,
        sub,
        ...users,
        // Rows are looked for by the key: who may not read it reads nothing here.
        ...(users.rows === '42501' && { bio: '42501' }),
      });
    }
    expect(
      await value(sql, `select relrowsecurity from pg_class where oid = 'public.avatars'::regclass`),
    ).toBe(true);
  });

  test('a user is hidden later, or row level security comes later', async () => {
    const sql = await app(`${SELECT}`);
    await migrateAll(sql);
    expect((await reads(sql, 'anon', null, 'public.avatars', 'owner_user_id')).rows).toHaveLength(USERS);
    await sql.unsafe(`${RLS} create policy alive on public.users using (deleted_at is null)`);
    expect((await reads(sql, 'anon', null, 'public.avatars', 'owner_user_id')).rows).toHaveLength(USERS - 1);
    await sql`update public.users set deleted_at = now() where username = 'u5'`;
    expect((await reads(sql, 'anon', null, 'public.avatars', 'owner_user_id')).rows).toHaveLength(USERS - 2);
  });

  test('columns come from columns: who may not read bio may not read it there, by default or by a view of their own', async () => {
    for (const view of [false, true]) {
      const sql = await app('grant select (id, username, display_name) on public.users to anon');
      if (view) {
        await sql`create view avatars.default_avatar as
          select u.id as owner_user_id, u.bio as name, '{"migrated": true}'::jsonb as metadata from public.users u`;
      }
      await prepareAll(sql);
      const readable = await sql<{ name: string }[]>`
        select column_name as name from information_schema.column_privileges
        where table_name = 'avatars' and grantee = 'anon' and privilege_type = 'SELECT' order by 1`;
      expect(readable.map(({ name }) => name)).toEqual(
        view
          ? ['created_at', 'id', 'owner_user_id', 'updated_at']
          : [
              'created_at',
              'id',
              'metadata',
              'name',
              'niche',
              'owner_user_id',
              'personality_traits',
              'updated_at',
            ],
      );
    }
  });
});

describe('writing avatars', () => {
  const open = `${RLS} grant all on public.users to anon, authenticated, service_role; create policy own on public.users using (true);`;

  test('people cannot, however much they may in users; the server of the app can', async () => {
    const sql = await app(open);
    await migrateAll(sql);
    for (const statement of [
      `insert into public.avatars (owner_user_id, name) values ('${user(1)}', 'x')`,
      `update public.avatars set name = 'x'`,
      'delete from public.avatars',
      'truncate public.avatars',
    ]) {
      for (const role of ['anon', 'authenticated']) {
        expect(await refusal(asRole(sql, role, user(1), (tx) => tx.unsafe(statement)))).toMatchObject({
          code: '42501',
        });
      }
    }
    await asRole(sql, 'service_role', null, (tx) => tx`update public.avatars set name = 'by the server'`);
    expect(await value(sql, `select count(*)::int from public.avatars where name = 'by the server'`)).toBe(
      USERS,
    );
  });

  test('the statement that docs/avatars.md has for it lets people write their own', async () => {
    const sql = await app(open);
    await migrateAll(sql);
    await sql.unsafe(`
      grant update (name, bio, avatar_image_url) on public.avatars to authenticated;
      create policy "owners change their avatars" on public.avatars for update to authenticated
        using (owner_user_id = (select auth.uid())) with check (owner_user_id = (select auth.uid()))`);
    await asRole(sql, 'authenticated', user(1), (tx) => tx`update public.avatars set name = 'mine'`);
    expect(
      await value(sql, `select string_agg(owner_user_id::text, ',') from public.avatars where name = 'mine'`),
    ).toBe(user(1));
  });
});

describe('the preflight says who will see what', () => {
  const looked = async (sql: Sql, plan = 'avatars') => {
    const { problems, notices } = await call(sql, 'dry_run_migration', { plan, mode: 'preflight' });
    const lines = (list: { object: string; message: string }[]) =>
      list.map(({ object, message }) => `${object} ${message}`);
    return { problems: lines(problems), notices: lines(notices) };
  };

  test('of a table that is made: roles, columns, policies', async () => {
    const sql =
      await app(`${RLS}${SELECT} revoke select on public.users from anon; grant select (id, username) on public.users to anon;
      create policy own on public.users for select to authenticated using (auth.uid() = id);`);
    await sql`alter table public.users drop column display_name`;
    expect(await looked(sql)).toEqual({
      problems: [],
      notices: [
        'public.avatars anon will read created_at, id, metadata, name, niche, owner_user_id, personality_traits, updated_at of no row',
        'public.avatars authenticated will read all columns of the rows that public.users shows them (policy own)',
        'public.avatars service_role will read all columns of all rows',
      ],
    });
    await prepareAll(sql);
    expect((await looked(sql)).notices).toContain(
      'public.avatars authenticated reads all columns of the rows that it shows them (policy as visible as its source)',
    );
  });

  test('of a table of the app: it stays as it is, and a warning says where it is more open than users', async () => {
    const own = `create table public.avatars (id uuid primary key default gen_random_uuid(), owner_user_id uuid not null, name text, bio text);
      create index on public.avatars (owner_user_id);
      alter table public.avatars enable row level security; grant select on public.avatars to anon, authenticated;
      create policy everybody on public.avatars for select using (true);`;
    const sql = await app(
      `${RLS}${SELECT} create policy own on public.users using (auth.uid() = id); ${own}`,
    );
    const policies = () =>
      value(
        sql,
        `select string_agg(polname, ',') from pg_policy where polrelid = 'public.avatars'::regclass`,
      );
    expect(await looked(sql)).toEqual({
      problems: [
        'public.avatars shows anon more than public.users does: all rows',
        'public.avatars shows authenticated more than public.users does: all rows',
      ],
      notices: [],
    });
    await prepareAll(sql);
    expect(await policies()).toBe('everybody');
  });
});

describe('the tables of staging_to_production', () => {
  const plan = 'staging_to_production';
  async function production(rules: string): Promise<Sql> {
    const db = await freshDatabase();
    databases.push(db);
    await createApp(db.sql, staging.app, 20);
    await db.sql.unsafe(rules);
    return db.sql;
  }
  const count = (sql: Sql, role: string, table: string) =>
    asRole(sql, role, null, (tx) =>
      value<number>(tx as unknown as Sql, `select count(*)::int from public."${table}"`),
    ).catch((error) => (error as { code: string }).code);

  test('show what "UserImage" and "Booking" show, until "UserImage" is to go', async () => {
    const sql = await production(`
      alter table public."UserImage" enable row level security;
      create policy early on public."UserImage" for select to authenticated using (id < 'img8');
      grant select on public."UserImage", public."Booking" to anon, authenticated, service_role;
      alter table public."Booking" enable row level security;
      alter default privileges in schema public grant all on tables to anon, authenticated, service_role`);
    await migrateAll(sql, { plan });
    await sql`insert into public."Skill" (id, name) values ('one', 'Skill')`;
    for (const role of ['anon', 'authenticated', 'service_role']) {
      expect([role, await count(sql, role, 'Image')]).toEqual([role, await count(sql, role, 'UserImage')]);
      expect([role, await count(sql, role, 'Skill')]).toEqual([role, role === 'service_role' ? 1 : 0]);
    }
    await finalize(sql, plan, { allow_data_loss: true });
    const said: string[] = [];
    for (;;) {
      const answer = await call(sql, 'cleanup_migration', { plan, older_than: '0' });
      said.push(...answer.warnings);
      if (!answer.has_more) break;
    }
    expect(said.join()).toContain('is shown by way of "UserImage": it stays');
    expect(await count(sql, 'authenticated', 'Image')).toBe(await count(sql, 'authenticated', 'UserImage'));
  });

  test('give nobody a right where nobody has one on the old ones', async () => {
    const sql = await production(
      'alter default privileges in schema public grant all on tables to anon, authenticated',
    );
    await prepare(sql, plan);
    const open = await sql`
      select c.relname, r.rolname from pg_class c, pg_roles r
      where c.oid in (select to_regclass(format('public.%I', name)) from staging_to_production.new_tables())
        and r.rolname in ('anon', 'authenticated', 'service_role') and has_any_column_privilege(r.oid, c.oid, 'select, insert, update')`;
    expect([...open]).toEqual([]);
  });
});
