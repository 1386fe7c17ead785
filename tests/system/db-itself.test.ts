/** What versions say of the database itself, by its name or without: `check` sees it, and no other database gets it. */
import { expect, test } from 'vitest';
import { compareCatalogs, DATABASE, type Difference } from '../../scripts/db/catalog.ts';
import { Shadow } from '../../scripts/db/shadow.ts';
import { BARE } from '../support/cluster.ts';
import { V1, V2, type VersionedProject, versionedProject } from '../support/versions.ts';

const settings = (name: string) => `
  alter database "${name}" set work_mem to '7MB';
  alter role anon in database "${name}" set statement_timeout to '2s';
  revoke connect on database "${name}" from public;
  comment on database "${name}" is 'Mine';
  do $$ begin execute format('alter database %I set random_page_cost to 1.5', current_database()); end $$;`;

const all = [
  'comment',
  'grants to public',
  'setting random_page_cost',
  'setting statement_timeout of role anon',
  'setting work_mem',
];

const back = (name: string) => `
  alter database "${name}" reset all;
  alter role anon in database "${name}" reset all;
  grant connect on database "${name}" to public;
  comment on database "${name}" is null;`;

/** What somebody has said of the server's own database. */
async function ofServer({ db }: VersionedProject): Promise<unknown> {
  const [said] = await db.connect({ role: 'supabase_admin' })`
    select d.datacl::text, d.datconnlimit, shobj_description(d.oid, 'pg_database') as comment,
      (select jsonb_agg(s.setconfig) from pg_db_role_setting s where s.setdatabase = d.oid) as settings
    from pg_database d where d.datname = 'postgres'`;
  return said;
}

async function drift({ run }: VersionedProject): Promise<string[]> {
  const { data } = await run('check');
  return ((data?.drift ?? []) as { object: string; aspects: string[] }[]).flatMap(({ object, aspects }) =>
    object === DATABASE ? aspects : [object],
  );
}

test('by the name that it has, there and back, and what somebody has changed by hand', async () => {
  const project = await versionedProject();
  const { db, sql, run } = project;
  await project.version(V1, settings(db.name), back(db.name));
  await run('upgrade');
  expect(await drift(project)).toEqual([]);
  await sql.unsafe(`alter database ${db.name} reset work_mem; grant connect on database ${db.name} to anon`);
  expect(await drift(project)).toEqual(['grants to anon', 'setting work_mem']);
  await sql.unsafe(`revoke connect on database ${db.name} from anon`);
  await run('downgrade');
  expect(await drift(project)).toEqual([]);
  expect(await project.read(`migrations/${V1}_by_hand.sql`)).toBe(settings(db.name));
});

test('by the name of every hosted database: the server’s own one hears nothing of it', async () => {
  const project = await versionedProject();
  const before = await ofServer(project);
  await project.version(V1, settings('postgres'), back('postgres'));
  await project.run('stamp', V1);
  expect(await drift(project)).toEqual(all);
  await project.sql.unsafe(settings(project.db.name));
  expect(await drift(project)).toEqual([]);
  expect(await ofServer(project)).toEqual(before);
});

test('upgrade and downgrade refuse what would be said of another database, before anything is done', async () => {
  const project = await versionedProject();
  const { db, sql, run } = project;
  const before = await ofServer(project);
  const made = () => sql`select from pg_tables where tablename in ('a', 'b')`;
  await project.version(V1, 'create table public.a (id int)', `drop table public.a;\n${back('postgres')}`);
  await project.version(V2, settings('postgres'), back('postgres'));
  const names = (file: string, line: number) => ({
    code: 'other-database',
    message: `${file}:${line} names the database postgres, and a version is for one database, which is called ${db.name}.`,
    hint: expect.stringContaining('current_database()'),
  });
  const inVersion = names(`supabase/migrations/${V2}_by_hand.sql`, 2);
  expect(await project.refusal('upgrade')).toMatchObject(inVersion);
  expect(await project.refusal('reset', '--confirm', db.name)).toMatchObject(inVersion);
  expect(await made()).toHaveLength(0);

  await run('upgrade', V1);
  await project.version(V2, 'create table public.b (id int)', 'drop table public.b');
  await run('upgrade');
  const inWayBack = names(`supabase/ways-back/${V1}_by_hand.sql`, 3);
  expect(await project.refusal('downgrade', '-2')).toMatchObject(inWayBack);
  expect(await made()).toHaveLength(2);
  expect(await ofServer(project)).toEqual(before);
});

test('shadows that are there at the same time do not see what is said of another one, and a copy has all of it', async () => {
  const { db, sql } = await versionedProject();
  const shadows = {
    url: (name: string) => Object.assign(new URL(db.url), { pathname: `/${name}` }).href,
    pristine: BARE,
    called: new Set(['postgres']),
  };
  const [one, two] = [await Shadow.create(shadows), await Shadow.create(shadows)];
  const made = [one, two];
  try {
    const empty = await two.catalog();
    await one.run({ file: 'a.sql', text: settings('postgres') });
    const after = await one.catalog();
    expect(compareCatalogs(empty, after)).toEqual([
      { object: DATABASE, change: 'changed', aspects: all, owner: null },
    ] satisfies Difference[]);
    const copy = await one.copy();
    made.push(copy);
    expect(compareCatalogs(await copy.catalog(), after)).toEqual([]);
    expect(compareCatalogs(await two.catalog(), empty)).toEqual([]);
  } finally {
    for (const shadow of made) await shadow.drop();
  }
  expect(await sql`select from pg_database where datname like ${`shadow_${process.pid}_%`}`).toHaveLength(0);
});

test('what the platform says of it is no drift, nor what an app keeps there, which may be a secret', async () => {
  const project = await versionedProject();
  const { db, run } = project;
  await project.version(V1, 'create table public.a (id int primary key)');
  await run('upgrade');
  await db.connect({ role: 'supabase_admin' }).unsafe(`
    alter database ${db.name} owner to supabase_admin;
    grant all on database ${db.name} to dashboard_user, postgres;
    grant create on database ${db.name} to supabase_auth_admin;
    comment on database ${db.name} is 'default administrative connection database';
    alter database ${db.name} set app.settings.jwt_secret to 'a secret';
    alter database ${db.name} set app.settings.jwt_exp to '3600';
    alter role supabase_auth_admin in database ${db.name} set search_path to auth;
    alter database ${db.name} set app.service_key to 'a secret'`);
  expect(await drift(project)).toEqual([]);
});

test('init writes what is said of it, and not what may be a secret', async () => {
  const project = await versionedProject();
  const { db, run } = project;
  await db.connect({ role: 'supabase_admin' }).unsafe(`
    ${settings(db.name)};
    alter database ${db.name} set app.service_key to 'a secret'`);
  const { lines } = await run('init');
  expect(lines).toContain('Left out, as it may be a secret: database itself (setting app.service_key)');
  const [file = ''] = await project.files('migrations');
  const baseline = await project.read(`migrations/${file}`);
  expect(baseline).toContain('current_database()');
  expect(baseline).not.toContain('secret');
  expect(baseline).not.toContain(db.name);
  expect(await drift(project)).toEqual([]);
});

test('reset takes it back', async () => {
  const project = await versionedProject();
  const { db, sql, run } = project;
  await sql.unsafe(settings(db.name));
  await project.version(V1, 'create table public.a (id int primary key)');
  await run('reset', '--confirm', db.name);
  expect(await drift(project)).toEqual([]);
});

test('another database is none of a version’s, nor of a model’s', async () => {
  const project = await versionedProject();
  await project.version(V1, 'select 1;\nalter database other set work_mem to 5');
  await project.run('stamp', V1);
  expect(await project.refusal('check')).toMatchObject({
    code: 'other-database',
    message: `supabase/migrations/${V1}_by_hand.sql:2 names the database other, and a version is for one database, which is called postgres or ${project.db.name}.`,
  });
  await project.version(V1, 'select 1');
  await project.version(V2, 'create database other');
  expect(await project.refusal('migrate', 'x')).toMatchObject({ code: 'no-models' });
  await project.write({ 'schemas/a.sql': 'drop database postgres' });
  expect(await project.refusal('migrate', 'x')).toMatchObject({
    code: 'other-database',
    message: expect.stringContaining(`${V2}_by_hand.sql:1 makes a database`),
  });
  await project.version(V2, 'select 1');
  expect(await project.refusal('migrate', 'x')).toMatchObject({
    code: 'other-database',
    message: expect.stringContaining('a.sql:1 drops a database'),
  });
});

test('a connection limit that leaves no room to compare is refused with the reason', async () => {
  const project = await versionedProject();
  await project.write({ 'schemas/a.sql': 'alter database postgres connection limit 1' });
  expect(await project.refusal('migrate', 'x')).toMatchObject({
    code: 'not-proven',
    message: expect.stringContaining('With a connection limit of 1 the database cannot be compared'),
  });
});
