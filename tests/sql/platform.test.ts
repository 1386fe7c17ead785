/** What a project finds on the embedded PostgreSQL that is Supabase's and not its own. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingHere } from '../../scripts/embedded/missing.ts';
import { refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(async () => await db.drop());

describe('the tables of Auth, Storage and Realtime', () => {
  const owners = `
    select c.oid::regclass::text as name, c.relowner::regrole::text as owner, c.relrowsecurity as secured
    from pg_class c where c.oid in ('auth.users'::regclass, 'auth.identities'::regclass, 'storage.buckets'::regclass,
      'storage.objects'::regclass, 'realtime.messages'::regclass) order by 1`;

  test('belong to their roles, and have row security on', async () => {
    expect(await db.sql.unsafe(owners)).toEqual([
      { name: 'auth.identities', owner: 'supabase_auth_admin', secured: true },
      { name: 'auth.users', owner: 'supabase_auth_admin', secured: true },
      { name: 'realtime.messages', owner: 'supabase_realtime_admin', secured: true },
      { name: 'storage.buckets', owner: 'supabase_storage_admin', secured: true },
      { name: 'storage.objects', owner: 'supabase_storage_admin', secured: true },
    ]);
  });

  test('take policies, triggers and references of postgres, whatever the spelling, and give them back', async () => {
    await db.sql.unsafe(`
      create table public.profiles (id uuid primary key references auth.users on delete cascade);
      create function public.welcome() returns trigger language plpgsql as $$ begin return new; end $$`);
    for (const [table, name] of [
      ['auth.users', 'users'],
      ['"auth"."identities"', 'identities'],
      ['storage.objects', 'objects'],
      ['"storage" . "buckets"', 'buckets'],
      ['realtime.messages', 'messages'],
    ]) {
      for (const statement of [
        `create policy "may look" on ${table} for select to authenticated using (true)`,
        `alter policy "may look" on ${table} using (auth.uid() is not null)`,
        `DROP POLICY IF EXISTS "may look" ON ${table}`,
        `create trigger welcome after insert on ${table} for each row execute function public.welcome()`,
        `drop trigger if exists welcome on ${table}`,
        `drop trigger if exists welcome on ${table}`,
        `do $$ begin execute 'create policy "may look" on ${table} for select using (true)'; end $$`,
      ]) {
        await db.sql.unsafe(statement);
      }
      expect(
        await value(db.sql, `select count(*)::int from pg_policies where tablename = '${name}'`),
        table,
      ).toBe(1);
    }
  });

  test('are not altered, moved, dropped or joined by postgres, as on hosted Supabase', async () => {
    for (const statement of [
      'alter table storage.objects enable row level security',
      'alter table auth.users add column nickname text',
      'alter table auth.users owner to postgres',
      'alter table auth.users disable trigger all',
      'create index on auth.users (created_at)',
      'drop table storage.buckets cascade',
      'create table auth.mine (id integer)',
      "create function storage.mine() returns integer language sql as 'select 1'",
      'create table realtime.mine (id integer)',
      'create or replace function auth.uid() returns uuid language sql as $$ select null::uuid $$',
      'set role supabase_storage_admin',
      'grant supabase_auth_admin to postgres',
      'alter role supabase_auth_admin login',
      'delete from storage.objects where true',
    ]) {
      expect((await refusal(db.sql.unsafe(statement))).code, statement).toBe('42501');
    }
  });

  test('are lent for the one statement: what fails or is committed leaves postgres without', async () => {
    const membership = "select pg_has_role('postgres', 'supabase_storage_admin', 'member')";
    await refusal(db.sql.unsafe('create policy "may look" on storage.objects using (no_such_column)'));
    expect(await value(db.sql, membership)).toBe(false);
    await db.sql.begin(async (tx) => {
      await tx.unsafe('create policy "may not look" on storage.objects as restrictive using (false)');
      expect(await value(tx as unknown as typeof db.sql, membership)).toBe(false);
      const altering = tx.savepoint((inner) =>
        inner.unsafe('alter table storage.objects add column mine text'),
      );
      expect((await refusal(altering)).code).toBe('42501');
    });
    // Policies of the app's own tables are nobody else's business.
    await db.sql.unsafe(`
      create table public.notes (id integer, owner uuid);
      create policy "own notes" on public.notes using (owner = auth.uid()); drop policy "own notes" on public.notes`);
    expect(await value(db.sql, membership)).toBe(false);
  });

  test('keep what is written for a user of a seed', async () => {
    await db.sql`
      insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, recovery_sent_at,
        last_sign_in_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, confirmation_token, email_change,
        email_change_token_new, recovery_token)
      values ('00000000-0000-0000-0000-000000000000', '5f0c3f0e-0d7b-4f0e-9d0a-3d8a5a0b7c11', 'authenticated', 'authenticated',
        'ali@example.com', crypt('secret', gen_salt('bf')), now(), now(), now(), '{"provider":"email"}', '{}', now(), now(), '', '', '', '')`;
    await db.sql`
      insert into auth.identities (id, user_id, provider_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
      select uuid_generate_v4(), id, id, format('{"sub":"%s","email":"%s"}', id, email)::jsonb, 'email', now(), now(), now() from auth.users`;
    expect(
      await db.sql`select u.confirmed_at is not null as confirmed, i.email from auth.users u join auth.identities i on i.user_id = u.id`,
    ).toEqual([{ confirmed: true, email: 'ali@example.com' }]);
  });
});

test('the functions of Storage and Realtime read names, topics and operations as policies ask for them', async () => {
  const [row] = await db.sql`
    select storage.foldername('a/b/c.tar.gz') as folder, storage.foldername('c') as none, storage.filename('a/b/c.tar.gz') as file,
      storage.extension('a/b/c.tar.gz') as extension, realtime.topic() as topic`;
  expect(row).toEqual({ folder: ['a', 'b'], none: [], file: 'c.tar.gz', extension: 'gz', topic: null });
  await db.sql.begin(async (tx) => {
    await tx`select set_config('storage.operation', 'storage.object.list', true)`;
    const [asked] = await tx`
      select storage.allow_only_operation('object.list') as one, storage.allow_any_operation(array['storage.object.list', 'x']) as other,
        storage.allow_any_operation(array['', null, 'object.upload']) as none`;
    expect(asked).toEqual({ one: true, other: true, none: false });
  });
});

describe('extensions', () => {
  test('of a new project are there, in schema extensions and on the search_path', async () => {
    expect(
      await db.sql`
        select e.extname as name, n.nspname as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
        where e.extname <> 'plpgsql' order by 1`,
    ).toEqual([
      { name: 'pg_stat_statements', schema: 'extensions' },
      { name: 'pgcrypto', schema: 'extensions' },
      { name: 'supabase_vault', schema: 'vault' },
      { name: 'uuid-ossp', schema: 'extensions' },
    ]);
    const [row] = await db.sql`
      select length(gen_random_bytes(8)) as bytes, encode(hmac('a', 'b', 'sha256'), 'hex') as mac,
        uuid_generate_v5(uuid_ns_url(), 'https://example.com')::text as v5, crypt('x', '$2a$06$abcdefghijklmnopqrstuu') as hash`;
    expect(row).toMatchObject({ bytes: 8, v5: '4fd35a71-71ef-5a55-a9d9-aa75c889a6d0' });
  });

  test('of hosted Supabase that come with PostgreSQL are created by postgres; the unsafe ones are not', async () => {
    for (const name of [
      ...[
        'citext',
        'pg_trgm',
        'unaccent',
        'hstore',
        'ltree',
        'btree_gin',
        'btree_gist',
        'moddatetime',
        'tablefunc',
      ],
      ...[
        'earthdistance cascade',
        'fuzzystrmatch',
        'intarray',
        'postgres_fdw',
        'dblink',
        'pgrowlocks',
        'bloom',
      ],
    ]) {
      const [extension, cascade = ''] = name.split(' ');
      await db.sql.unsafe(`create extension if not exists ${extension} with schema extensions ${cascade}`);
    }
    await db.sql`create server elsewhere foreign data wrapper postgres_fdw options (host '127.0.0.1')`;
    for (const name of ['amcheck', 'file_fdw', 'pageinspect']) {
      expect((await refusal(db.sql.unsafe(`create extension ${name}`))).code, name).toBe('42501');
    }
  });

  test('that stand in are created, dropped and listed as the real ones', async () => {
    await db.sql.unsafe(`
      create extension pg_cron with schema pg_catalog;
      create extension if not exists "pg_net" with schema "extensions";
      create extension if not exists "pgjwt" with schema "extensions";
      create extension if not exists "pg_graphql" with schema "graphql"`);
    const [answers] = await db.sql`
      select (select valid from verify(sign('{"sub": "1", "exp": 4102444800}', 'secret'), 'secret')) as valid,
        (select valid from verify(sign('{"exp": 1}', 'secret'), 'secret')) as expired,
        (select valid from verify(sign('{}', 'secret'), 'another')) as forged,
        sign('{"sub":"1"}', 'secret') as token,
        graphql_public.graphql(query => '{ a }') -> 'errors' -> 0 ->> 'message' as graphql`;
    expect(answers).toEqual({
      valid: true,
      expired: false,
      forged: false,
      token:
        'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.8qZF8vbN3UpcanXFc-mPXJkOPN01-bRch8XX3rToP1U',
      graphql: 'pg_graphql is not part of the embedded Supabase',
    });
    await db.sql`drop extension pgjwt, pg_graphql, pg_net`;
    expect(await value(db.sql, "select to_regnamespace('net')")).toBeNull();
  });

  test('Vault keeps secrets by name and gives them to postgres and service_role only', async () => {
    const id = await value(db.sql, "select vault.create_secret('s3cret ☂', 'key', 'what for')");
    await db.sql`select vault.update_secret(${id as string}, new_secret => 'another')`;
    const service = db.connect({ role: 'service_role' });
    expect(await service`select name, description, decrypted_secret from vault.decrypted_secrets`).toEqual([
      { name: 'key', description: 'what for', decrypted_secret: 'another' },
    ]);
    expect(await value(db.sql, 'select secret from vault.secrets')).not.toContain('another');
    const visitor = db.connect({ role: 'authenticated' });
    expect((await refusal(visitor`select * from vault.secrets`)).code).toBe('42501');
    expect((await refusal(visitor`select vault.create_secret('x')`)).code).toBe('42501');
    expect((await refusal(db.sql`insert into vault.secrets (secret) values ('x')`)).code).toBe('42501');
  });
});

describe('the stand-in for pg_cron', () => {
  const moments: [schedule: string, due: string[], notDue: string[]][] = [
    ['* * * * *', ['2026-11-29 03:00'], []],
    ['0 3 * * *', ['2026-11-29 03:00'], ['2026-11-29 03:01', '2026-11-29 15:00']],
    ['*/15 9-17 * * 1-5', ['2026-11-30 09:45'], ['2026-11-29 09:45', '2026-11-30 08:45', '2026-11-30 09:46']],
    ['0,30 0 1 jan,JUL *', ['2026-07-01 00:30'], ['2026-08-01 00:30']],
    ['5-20/5 * * * *', ['2026-11-29 00:20'], ['2026-11-29 00:25']],
    ['0 0 1 * 7', ['2026-11-29 00:00', '2026-12-01 00:00'], ['2026-11-30 00:00']],
    ['0 0 * * sun', ['2026-11-29 00:00'], ['2026-11-30 00:00']],
    ['0 0 $ * *', ['2026-11-30 00:00', '2028-02-29 00:00'], ['2026-11-29 00:00']],
    ['@weekly', ['2026-11-29 00:00'], ['2026-11-30 00:00']],
    ['@hourly', ['2026-11-29 05:00'], ['2026-11-29 05:01']],
  ];
  test.each(moments)(
    'finds %s due at its moments in GMT, and at no others',
    async (schedule, due, notDue) => {
      const at = async (moment: string) =>
        await value(db.sql, `select cron.is_due('${schedule}', '${moment}+00')`);
      for (const moment of due) expect(await at(moment), moment).toBe(true);
      for (const moment of notDue) expect(await at(moment), moment).toBe(false);
    },
  );

  test.each([
    '',
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '5/2 * * * *',
    '*/0 * * * *',
    '* * * foo *',
    '0 seconds',
    '60 seconds',
    '@often',
  ])('refuses the schedule "%s"', async (schedule) => {
    expect(await refusal(db.sql`select cron.schedule('job', ${schedule}, 'select 1')`)).toMatchObject({
      code: '22023',
      message: `invalid schedule: ${schedule}`,
    });
  });

  test('gives nobody a job of a superuser', async () => {
    const forged = db.sql`select cron.write_job('supabase_admin', 'job', '1 second', 'select 1', current_database(), true)`;
    expect((await refusal(forged)).code).toBe('42501');
  });
});

test('postgres sets what hosted Supabase lets it set for itself and for the roles of the API', async () => {
  await db.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`alter role authenticator set pgrst.db_pre_request = 'public.check_request'`;
    await tx`alter role anon set statement_timeout = '5s'`;
    await tx`rollback`;
  });
  expect((await refusal(db.sql`alter role supabase_admin set search_path = public`)).code).toBe('42501');
  expect((await refusal(db.sql`alter role postgres superuser`)).code).toBe('42501');
});

test.each([
  ['create extension postgis', 'The extension postgis is not'],
  [
    'create table public.a (b extensions.vector(3))',
    'The type extensions.vector, of the extension vector, is not',
  ],
  ['create table public.a (b geography(point))', 'The type geography, of the extension postgis, is not'],
  ['select st_makepoint(1, 2)', 'The function st_makepoint, of the extension postgis, is not'],
  ["select extensions.http_get('x')", 'The function extensions.http_get, of the extension http, is not'],
  ["select pgmq.create('x')", 'The schema pgmq, of the extension pgmq, is not'],
  ['create index on public.notes using hnsw (id)', 'The index method hnsw, of the extension vector, is not'],
  [
    "create function public.js() returns text language plv8 as 'x'",
    'The language plv8, of the extension plv8, is not',
  ],
  ['select from auth.oauth_clients', 'The table auth.oauth_clients is not'],
  ["select storage.search('a', 'b')", 'The function storage.search is not'],
  ['grant pgsodium_keyholder to service_role', 'The role pgsodium_keyholder is not'],
  [
    'create event trigger mine on ddl_command_end execute function extensions.pgrst_ddl_watch()',
    'On the embedded Supabase postgres cannot create event triggers',
  ],
  [
    'create publication mine for all tables',
    'On the embedded Supabase postgres cannot create publications for all tables',
  ],
])('%s is told what is missing', async (statement, beginning) => {
  const { message } = await refusal(db.sql.unsafe(statement));
  expect(missingHere(`ERROR: ${message}`)).toMatch(new RegExp(`^${beginning}.*\\. docs/embedded\\.md lists`));
});

test.each([
  'select from public.nothing',
  'select public.search(1)',
  'select mine.search(1)',
  'create table public.a (b vectors)',
  'drop policy nothing on public.notes',
  'alter table auth.users add column mine text',
])('%s, which fails on hosted Supabase as well, is left to PostgreSQL to explain', async (statement) => {
  const { message } = await refusal(db.sql.unsafe(statement));
  expect(missingHere(`ERROR: ${message}`)).toBeUndefined();
});
