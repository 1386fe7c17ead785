import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

describe('the roles are as on Supabase', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await freshDatabase();
  });
  afterAll(async () => await db.drop());

  test('postgres owns the database and is no superuser', async () => {
    const [role] = await db.sql`
      select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles where rolname = current_user`;
    expect(role).toEqual({
      rolsuper: false,
      rolcreaterole: true,
      rolcreatedb: true,
      rolbypassrls: true,
      rolreplication: true,
    });
    const [owner] = await db.sql`
      select datdba::regrole::text as database, (select nspowner::regrole::text from pg_namespace where nspname = 'public') as public
      from pg_database where datname = current_database()`;
    expect(owner).toEqual({ database: 'postgres', public: 'postgres' });
  });

  test('postgres has the memberships, the others only what the Data API needs', async () => {
    const rows = await db.sql`
      select member::regrole::text, array_agg(roleid::regrole::text order by roleid::regrole::text) as roles
      from pg_auth_members where member::regrole::text in ('postgres', 'authenticator', 'service_role', 'anon')
        -- Other tests make roles of an app's own meanwhile.
        and roleid::regrole::text !~ '^app_[0-9]'
      group by member order by 1`;
    expect(rows).toEqual([
      { member: 'authenticator', roles: ['anon', 'authenticated', 'service_role'] },
      {
        member: 'postgres',
        roles: [
          'anon',
          'authenticated',
          'authenticator',
          'pg_monitor',
          'pg_signal_backend',
          'service_role',
          'supabase_functions_admin',
        ],
      },
    ]);
  });

  test('the API roles have the timeouts of Supabase, and postgres its search_path', async () => {
    const rows = await db.sql`
      select rolname, rolconfig from pg_roles
      where rolname in ('anon', 'authenticated', 'authenticator', 'service_role', 'postgres') order by rolname`;
    expect(rows).toEqual([
      { rolname: 'anon', rolconfig: ['statement_timeout=3s'] },
      { rolname: 'authenticated', rolconfig: ['statement_timeout=8s'] },
      { rolname: 'authenticator', rolconfig: ['statement_timeout=8s', 'lock_timeout=8s'] },
      { rolname: 'postgres', rolconfig: ['search_path="$user", public, extensions'] },
      { rolname: 'service_role', rolconfig: null },
    ]);
    const [row] = await db.connect({ role: 'service_role' })`
      select current_user, session_user, current_setting('statement_timeout') as timeout`;
    expect(row).toEqual({ current_user: 'service_role', session_user: 'authenticator', timeout: '8s' });
  });

  test('what is new in public is closed to the API roles, service_role included', async () => {
    await db.sql`create table public.secrets (id integer)`;
    for (const role of ['anon', 'authenticated', 'service_role'] as const) {
      await expect(db.connect({ role })`select * from public.secrets`).rejects.toMatchObject({
        code: '42501',
      });
    }
  });

  test('auth.uid(), role() and jwt() read the claims of the request', async () => {
    const claims = { sub: '5f0c3f0e-0d7b-4f0e-9d0a-3d8a5a0b7c11', role: 'authenticated' };
    const [row] = await db.sql.begin(async (tx) => {
      await tx`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
      return await tx`select auth.uid(), auth.role(), auth.jwt()`;
    });
    expect(row).toEqual({ uid: claims.sub, role: claims.role, jwt: claims });
    expect(await db.sql`select auth.uid(), auth.role(), auth.jwt()`).toEqual([
      { uid: null, role: null, jwt: null },
    ]);
  });
});
