/** `imago install`: into somebody's project, again, and away. */
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { parseOptions } from '../../scripts/install/options.ts';
import { checksum, readParts, uninstallPart } from '../../scripts/install/parts.ts';
import { problems } from '../../scripts/install/problem.ts';
import { packageFolder } from '../../scripts/package.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshProject } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { startManagementApi } from '../support/management-api.ts';
import {
  configText,
  contents,
  execute,
  imago,
  install,
  listed,
  projectFolder,
  push,
  put,
} from '../support/project.ts';

const databases: TestDatabase[] = [];

async function database(...args: Parameters<typeof freshDatabase>): Promise<TestDatabase> {
  const db = await freshDatabase(...args);
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Migrations of a project by what they are: `things`, `imago_engine`, … */
async function migrationNames(folder: string): Promise<string[]> {
  const files = await readdir(path.join(folder, 'supabase/migrations'));
  return files.sort().map((file) => file.replace(/^\d+_(.*)\.sql$/, '$1'));
}

async function migrationFile(folder: string, name: string): Promise<string> {
  const files = await readdir(path.join(folder, 'supabase/migrations'));
  const found = files.sort().findLast((file) => file.endsWith(`_${name}.sql`));
  if (!found) throw new Error(`there is no migration ${name}`);
  return `supabase/migrations/${found}`;
}

/** What there is of Imago in a database. */
async function traces(sql: Sql): Promise<unknown> {
  return [
    ...(await sql`select nspname as name from pg_namespace
      where nspname in ('imago', 'imago_undo', 'avatars', 'profile_gigs', 'resume_skills')`),
    ...(await sql`select proname as name from pg_proc
      where pronamespace = 'public'::regnamespace and obj_description(oid, 'pg_proc') like 'Imago%'`),
    ...(await sql`select tgname as name from pg_trigger where tgname ~ 'imago'`),
    ...(await sql`select relname as name from pg_class where relname = 'migration_log'`),
  ];
}

describe('imago install', () => {
  test('adds migrations after the last one, functions, entries and variables, and changes nothing else', async () => {
    const last = '20991231235959';
    const folder = await projectFolder({
      [`supabase/migrations/${last}_later.sql`]: 'select 1;\n',
      '.env.example': 'SHOP_NAME=\n#DATABASE_URL=\n',
    });
    const before = await contents(folder);
    const dry = await install(folder, '--dry-run');
    expect(await contents(folder)).toEqual(before);

    const done = await install(folder);
    expect(done).toMatchObject({ status: 'done', exit_code: 0, plans: ['avatars'], kept: [], removed: [] });
    expect(done.next).toContain('npm run imago -- doctor');
    expect(dry).toMatchObject({ status: 'done', dry_run: true, added: done.added, changed: done.changed });
    const after = await contents(folder);
    expect(done.changed).toEqual(['.env.example', 'supabase/config.toml']);
    expect(Object.keys(after).sort()).toEqual([...Object.keys(before), ...done.added].sort());
    for (const [file, text] of Object.entries(before)) {
      expect(after[file]?.startsWith(text), file).toBe(true);
      if (!done.changed.includes(file)) expect(after[file], file).toBe(text);
    }
    expect(await migrationNames(folder)).toEqual(['things', 'later', 'imago_engine', 'imago_plan_avatars']);
    for (const file of done.added.filter((name: string) => name.includes('/migrations/'))) {
      expect(path.basename(file) > last).toBe(true);
    }
    const variables = [...(after['.env.example'] ?? '').matchAll(/^#?(\w+)=/gm)].map(([, name]) => name);
    expect(variables).toContain('SUPABASE_SECRET_KEY');
    expect(variables.filter((name) => name === 'DATABASE_URL')).toHaveLength(1);
  });

  test('adds nothing the second time, and later what is chosen besides', async () => {
    const folder = await projectFolder();
    await install(folder);
    const before = await contents(folder);
    expect(await install(folder)).toMatchObject({
      status: 'unchanged',
      exit_code: 0,
      added: [],
      changed: [],
    });
    expect(await contents(folder)).toEqual(before);

    await put(folder, 'supabase/migrations/20990101000000_own.sql', 'select 1;\n');
    const more = await install(folder, '--plans', 'profile_gigs');
    expect(more.plans).toEqual(['avatars', 'profile_gigs']);
    expect(await migrationNames(folder)).toEqual([
      'things',
      'imago_engine',
      'imago_plan_avatars',
      'own',
      'imago_plan_profile_gigs',
    ]);
    // The function that reads the app of that plan comes with it.
    expect(more.added).toContain('supabase/functions/gigs/index.ts');
    expect(await install(folder)).toMatchObject({ status: 'unchanged' });
  });

  test('adds the engine alone with --plans none --no-functions', async () => {
    const folder = await projectFolder();
    const done = await install(folder, '--plans', 'none', '--no-functions');
    expect(await migrationNames(folder)).toEqual(['things', 'imago_engine']);
    expect(done.added.filter((file: string) => file.includes('functions'))).toEqual([]);
    expect((await contents(folder))['supabase/config.toml']).toBe(configText);
  });

  test('keeps and names files that were edited, and replaces those that were not by newer ones', async () => {
    const folder = await projectFolder();
    await install(folder);
    const engine = await migrationFile(folder, 'imago_engine');
    const before = await contents(folder);
    await put(folder, engine, `${before[engine]}-- mine\n`);
    await put(folder, 'supabase/functions/migrate/index.ts', '// mine\n');
    const first = await install(folder);
    expect(first).toMatchObject({ status: 'unchanged', exit_code: 0 });
    expect(first.kept.map(({ file, newer }: { file: string; newer: boolean }) => [file, newer])).toEqual([
      [engine, false],
      ['supabase/functions/migrate/index.ts', false],
    ]);

    // As an older version would have left it: two files of other texts, one of which was edited since.
    const receipt = 'supabase/functions/_imago/installed.json';
    const older = {
      ...JSON.parse(before[receipt] ?? ''),
      'migrate/index.ts': checksum('older'),
      '_imago/budget.ts': checksum('older budget'),
    };
    await put(folder, receipt, JSON.stringify(older));
    await put(folder, 'supabase/functions/_imago/budget.ts', 'older budget');
    const second = await install(folder);
    expect(second).toMatchObject({ status: 'left', exit_code: 3 });
    expect(second.changed).toEqual(['supabase/functions/_imago/budget.ts', receipt]);
    expect(second.kept).toContainEqual({
      file: 'supabase/functions/migrate/index.ts',
      newer: true,
      reason: expect.stringContaining('newer'),
    });
    const after = await contents(folder);
    expect(after['supabase/functions/migrate/index.ts']).toBe('// mine\n');
    expect(after[engine]).toContain('-- mine');
    expect(after['supabase/functions/_imago/budget.ts']).toBe(before['supabase/functions/_imago/budget.ts']);
  });

  test('does not add migrations that were copied by hand again', async () => {
    const folder = await projectFolder();
    for (const { name, plan, text } of readParts()) {
      if (plan && plan !== 'avatars') continue;
      await put(folder, `supabase/migrations/2026112100000${plan ? 1 : 0}_${name}.sql`, text);
    }
    const done = await install(folder);
    expect(done.added.filter((file: string) => file.includes('migrations'))).toEqual([]);
    expect(done).toMatchObject({ exit_code: 0, kept: [] });
  });

  const crlf = (text: string) => text.replaceAll('\n', '\r\n');
  test.each([
    ['with remarks', configText],
    ['with CRLF', crlf(configText)],
    ['empty', ''],
    [
      'with tables of all sorts',
      '[functions]\nhello = { verify_jwt = true }\n[[some.list]]\nname = "functions.migrate"\n',
    ],
  ])('appends its entries to config.toml, and takes them out again: %s', async (_, text) => {
    const folder = await projectFolder({ 'supabase/config.toml': text });
    await install(folder, '--plans', 'avatars,profile_gigs');
    const { 'supabase/config.toml': after = '' } = await contents(folder);
    expect(after.startsWith(text)).toBe(true);
    expect([...after.matchAll(/^\[functions\.(\w+)\]\r?$/gm)].map(([, name]) => name)).toEqual(
      expect.arrayContaining(['gigs', 'migrate', 'progress', 'rollback', 'validate']),
    );
    if (text.includes('\r\n')) expect(after.replaceAll('\r\n', '')).not.toContain('\n');
    await install(folder, '--uninstall');
    expect((await contents(folder))['supabase/config.toml']).toBe(text);
  });
});

describe('a refusal of imago install', () => {
  const cases: [
    code: keyof typeof problems,
    what: string,
    files: Record<string, string>,
    options: string[],
    named: string,
  ][] = [
    ['no-such-plan', 'a plan that does not exist', {}, ['--plans', 'avatars,nope'], 'nope'],
    [
      'function-taken',
      'an edge function of the same name',
      { 'supabase/functions/rollback/index.ts': '// theirs' },
      [],
      'rollback',
    ],
    [
      'function-taken',
      'an entry of the same name, for a function kept elsewhere',
      { 'supabase/config.toml': `${configText}\n[functions."validate"]\nentrypoint = "../x.ts"\n` },
      [],
      'validate',
    ],
    [
      'function-taken',
      'a folder of the shared files',
      { 'supabase/functions/_imago/access.ts': '// theirs' },
      [],
      '_imago',
    ],
    [
      'config-form',
      'functions as one value',
      { 'supabase/config.toml': 'functions = { hello = { verify_jwt = true } }\n' },
      [],
      'functions = {',
    ],
    [
      'config-broken',
      'a config.toml that nobody can read',
      { 'supabase/config.toml': 'project_id = shop\n' },
      [],
      'line 1',
    ],
    [
      'name-taken',
      'a schema of the name of a plan',
      { 'supabase/migrations/20250102000000_a.sql': 'create schema if not exists avatars;' },
      [],
      'schema avatars (supabase/migrations/20250102000000_a.sql)',
    ],
    [
      'name-taken',
      'a function in a model',
      {
        'supabase/schemas/a.sql':
          "-- create nothing\ncreate or replace function migrate_batch(n integer) returns text language sql as 'select 1';",
      },
      [],
      'public.migrate_batch (supabase/schemas/a.sql)',
    ],
    [
      'name-taken',
      'a view in quotes, beside what nobody understands',
      { 'supabase/schemas/a.sql': 'create tabel a (); create view "public"."migrate_batch" as select 1;' },
      [],
      'public.migrate_batch (supabase/schemas/a.sql)',
    ],
    [
      'name-taken',
      'a table that got the name later',
      { 'supabase/schemas/a.sql': 'create table mine (); alter table mine rename to migrate_batch;' },
      [],
      'public.migrate_batch (supabase/schemas/a.sql)',
    ],
    [
      'name-taken',
      'a schema of the name of a plan that is made over several lines',
      { 'supabase/migrations/20250102000000_a.sql': 'create schema staging_to_production;' },
      ['--plans', 'staging_to_production'],
      'schema staging_to_production',
    ],
    [
      'newer-engine',
      'an engine that this package does not know',
      {
        'supabase/migrations/20260101000000_imago_engine.sql': `-- imago: imago_engine sha256:${checksum('')}\n`,
        'supabase/migrations/20260101000001_imago_engine_9.sql': `-- imago: imago_engine_9 sha256:${checksum('')}\n`,
      },
      [],
      'imago_engine_9',
    ],
    ['not-installed', 'removing what is not there', {}, ['--uninstall'], 'nothing of Imago'],
  ];
  test.each(cases)('with %s changes nothing: %s', async (code, _, files, options, named) => {
    const folder = await projectFolder(files);
    const before = await contents(folder);
    const refused = await install(folder, ...options);
    expect(refused).toMatchObject({ status: 'refused', exit_code: 2, error: { code } });
    expect(refused.message).toContain(named);
    expect(await contents(folder)).toEqual(before);
  });

  test('with not-writable changes nothing: what was written before the file that cannot be is taken back', async () => {
    const folder = await projectFolder();
    await symlink(path.join(folder, 'nowhere'), path.join(folder, '.env.example'));
    const before = await contents(folder);
    expect(await install(folder)).toMatchObject({ status: 'refused', error: { code: 'not-writable' } });
    expect(await contents(folder)).toEqual(before);
    expect(await readdir(path.join(folder, 'supabase/functions'))).toEqual(['hello']);

    await rm(path.join(folder, 'supabase/functions'), { recursive: true });
    await put(folder, 'supabase/functions', 'a file');
    const refused = await install(folder);
    expect(refused.message).toBe('supabase/functions cannot be written (ENOTDIR).');
  });

  test('with not-a-project, no-config or own-repository tells folders where it cannot install', async () => {
    const folder = await projectFolder();
    const code = async (where: string) => (await install(where)).error.code;
    expect(await code(path.join(folder, 'nowhere'))).toBe('not-a-project');
    expect(await code(path.join(folder, 'supabase'))).toBe('not-a-project');
    expect(await code(packageFolder)).toBe('own-repository');
    await rm(path.join(folder, 'supabase/config.toml'));
    expect(await code(folder)).toBe('no-config');
  });

  test('is not given for a name that was dropped again, nor for a plan that is not chosen', async () => {
    const folder = await projectFolder({
      'supabase/migrations/20250102000000_a.sql': 'create schema avatars; create schema profile_gigs;',
      'supabase/migrations/20250103000000_b.sql': '/* no more */ drop schema if exists avatars cascade;',
      'supabase/schemas/a.sql':
        'create function doctor() returns int return 1; alter function doctor() set schema extensions; create temp table progress ();',
    });
    expect(await install(folder)).toMatchObject({ status: 'done' });
  });

  test('for wrong usage ends with 2, while --help ends with 0', async () => {
    const wrong = [
      ['--discard-journal'],
      ['--uninstall', '--plans', 'avatars'],
      ['--plans', 'A b'],
      ['a', 'b'],
    ];
    for (const options of wrong) {
      expect(() => parseOptions(options, 'imago install')).toThrow(UsageError);
    }
    expect((await imago(['install', 'a', 'b'])).code).toBe(2);
    const help = await imago(['install', '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('--uninstall');
  });

  test('has its code and cause in docs/install.md', async () => {
    const text = await readFile(path.join(packageFolder, 'docs/install.md'), 'utf8');
    for (const [code, cause] of Object.entries(problems))
      expect(text).toContain(`| \`${code}\` | ${cause} |`);
  });
});

describe('imago install with the real CLI', () => {
  test('leaves a project its own history: added to, twice, taken out again, and once more', async () => {
    const db = await database({ migrated: false, app: 'sample', users: 30 });
    const folder = await projectFolder();
    await install(folder);
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });

    const before = await checksums(db.sql);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 10 });
    await put(
      folder,
      'supabase/migrations/20991231000000_own.sql',
      'alter table public.things add column n integer;\n',
    );
    await install(folder, '--plans', 'resume_skills');
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);

    const removed = await install(folder, '--uninstall');
    expect(removed).toMatchObject({ status: 'done', kept: [] });
    expect(removed.added).toEqual([await migrationFile(folder, 'imago_uninstall')]);
    const refused = await push(folder, db.url);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('plan avatars can still be rolled back');
    expect(refused.output).toContain('IM053');
    await expectAllMigrated(db.sql);

    await rollbackAll(db.sql);
    expect(await checksums(db.sql)).toEqual(before);
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    expect(await traces(db.sql)).toEqual([]);
    expect(await checksums(db.sql)).toEqual(before);
    expect(await value(db.sql, 'select count(*) from public.avatars')).toBe('0');
    const left = Object.keys(await contents(folder)).filter((file) => !file.includes('/migrations/'));
    expect(left).toEqual(['supabase/config.toml', 'supabase/functions/hello/index.ts']);

    await install(folder);
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    await migrateAll(db.sql);
    await install(folder, '--uninstall');
    await install(folder, '--uninstall', '--discard-journal');
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    const versions = await listed(folder, db.url);
    expect(versions.filter(({ local, remote }) => local !== remote)).toEqual([]);
    expect(versions).toHaveLength(9);
    expect(await traces(db.sql)).toEqual([]);
    await expectAllMigrated(db.sql);
  });

  test('an app with schemas of the names of plans gets the engine and other plans; each plan refuses its own', async () => {
    const db = await database({ migrated: false, app: 'sample', users: 20 });
    const names = ['avatars', 'profile_gigs', 'staging_to_production'];
    const theirs = names
      .map((name) => `create schema ${name}; create table ${name}.mine (id integer);`)
      .join('\n');
    const folder = await projectFolder({ 'supabase/migrations/20250102000000_schemas.sql': theirs });
    const refused = await install(folder);
    expect(refused).toMatchObject({ status: 'refused', error: { code: 'name-taken' } });
    expect(refused.error.hint).toContain('--plans none');

    expect(await install(folder, '--plans', 'none')).toMatchObject({ status: 'done', plans: [] });
    expect(await install(folder, '--plans', 'resume_skills')).toMatchObject({ plans: ['resume_skills'] });
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    expect(await value(db.sql, `select string_agg(name, ' ') from imago.plan`)).toBe('resume_skills');

    for (const { plan, text } of readParts().filter(({ plan }) => plan && names.includes(plan))) {
      const error = await refusal(db.sql.unsafe(text));
      expect(error).toMatchObject({ code: 'IM012', hint: expect.stringContaining('can be left out') });
      expect(error.message).toBe(`names that Imago needs are taken: schema ${plan}`);
    }
    await install(folder, '--uninstall');
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    for (const name of names) expect(await value(db.sql, `select count(*) from ${name}.mine`)).toBe('0');
  });

  test('functions deploy sends what was installed, and the functions answer', async () => {
    const folder = await projectFolder();
    await install(folder);
    const api = await startManagementApi();
    const home = await projectFolder({
      'profile.yaml': `name: test\napi_url: ${api.url}\ndashboard_url: ${api.url}\nproject_host: supabase.test\n`,
    });
    try {
      const cli = path.join(packageFolder, 'node_modules/supabase/dist/supabase.js');
      const args = ['functions', 'deploy', '--use-api', '--yes', '--remote=abcdefghijklmnopqrst'];
      const { code, stdout, stderr } = await execute(
        process.execPath,
        [cli, `--profile=${path.join(home, 'profile.yaml')}`, ...args],
        folder,
        {
          HOME: home,
          SUPABASE_HOME: home,
          SUPABASE_ACCESS_TOKEN: `sbp_${'0'.repeat(40)}`,
          DO_NOT_TRACK: '1',
        },
      );
      expect(code, stdout + stderr).toBe(0);
    } finally {
      await api.close();
    }
    expect([...api.uploads.keys()].sort()).toEqual(['hello', 'migrate', 'progress', 'rollback', 'validate']);
    const { metadata, files } = api.uploads.get('migrate') ?? {};
    expect(metadata).toMatchObject({
      verify_jwt: false,
      entrypoint_path: 'supabase/functions/migrate/index.ts',
      import_map_path: 'supabase/functions/migrate/deno.json',
    });
    expect([...(files?.keys() ?? [])]).toContain('supabase/functions/_imago/database.ts');

    await symlink(path.join(packageFolder, 'node_modules'), path.join(folder, 'node_modules'));
    const project = await freshProject({
      users: 10,
      functionsFolder: path.join(folder, 'supabase/functions'),
    });
    const ask = async () =>
      await fetch(`${project.url}/functions/v1/progress`, { headers: { apikey: project.secretKey } });
    expect((await ask()).status).toBe(200);
  });
});

describe('an upgrade of the engine', () => {
  /** A copy of the package in which the engine is of version 2, by a migration of its own. */
  async function newerPackage(): Promise<string> {
    const copy = path.join(await projectFolder(), 'imago');
    await mkdir(copy);
    for (const name of ['scripts', 'functions', 'sql', 'supabase', 'package.json', '.env.example']) {
      await cp(path.join(packageFolder, name), path.join(copy, name), { recursive: true });
    }
    await symlink(path.join(packageFolder, 'node_modules'), path.join(copy, 'node_modules'));
    const build = async (...options: string[]) =>
      await execute(process.execPath, [path.join(copy, 'scripts/build-sql.ts'), ...options], copy);
    expect((await build('--release')).code).toBe(0);

    // Sources go on; what was released is built from them no more.
    await put(
      copy,
      'sql/engine/upgrades/2.sql',
      "update imago.setting set value = '2' where name = 'engine_version';\n\ncreate table imago.from_version_2 (id integer primary key);\ncomment on table imago.from_version_2 is 'New in version 2.';\n",
    );
    const changed = 'sql/engine/functions/call/percentage.sql';
    const text = await readFile(path.join(copy, changed), 'utf8');
    await put(copy, changed, text.replace(" is '", " is 'Version 2. "));
    const manifest = JSON.parse(await readFile(path.join(copy, 'sql/manifest.json'), 'utf8'));
    manifest['20990101000000_imago_engine_2'] = [
      'engine/upgrades/2.sql',
      'engine/functions/',
      'api/functions/',
      'api/grants.sql',
    ];
    await put(copy, 'sql/manifest.json', JSON.stringify(manifest));
    const engine = await readFile(path.join(copy, 'functions/_shared/engine.ts'), 'utf8');
    await put(copy, 'functions/_shared/engine.ts', engine.replace('knownEngine = 1', 'knownEngine = 2'));
    expect((await build()).stderr).toBe('Built: supabase/migrations/20990101000000_imago_engine_2.sql\n');
    expect((await build('--check')).code).toBe(0);
    return copy;
  }

  test('is one more migration, in the middle of a run; what is older refuses it and says so; what was released never changes', async () => {
    const newer = await newerPackage();
    const project = await freshProject({ users: 60, avatars: 'prepared' });
    const { db, environment } = project;
    const folder = await projectFolder();
    await install(folder);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 20 });

    const upgraded = (await imago(['install', folder, '--json'], {}, { at: newer })).json();
    expect(upgraded.added).toEqual([await migrationFile(folder, 'imago_engine_2')]);
    expect(upgraded.changed).toEqual(
      expect.arrayContaining([
        'supabase/functions/_imago/engine.ts',
        'supabase/functions/_imago/installed.json',
      ]),
    );
    await db.sql.unsafe(await readFile(path.join(folder, upgraded.added[0]), 'utf8'));

    for (const args of [
      ['migrate', '--yes', '--json'],
      ['validate', '--json'],
    ]) {
      const refused = await imago(args, environment);
      expect(refused.code).toBe(1);
      expect(refused.json().error).toMatchObject({
        code: 'ENGINE',
        hint: expect.stringContaining('Upgrade'),
      });
    }
    const doctor = await imago(['doctor', '--json'], environment);
    expect(doctor.code, doctor.stdout).toBe(3);
    expect(doctor.json().findings).toMatchObject([{ code: 'engine_newer' }]);
    const response = await fetch(`${project.url}/functions/v1/migrate`, {
      method: 'POST',
      headers: { apikey: project.secretKey, 'content-type': 'application/json' },
      body: JSON.stringify({ plan: 'avatars' }),
    });
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 'engine_newer' });
    expect(await value(db.sql, 'select count(*) from public.avatars')).toBe('20');
    expect((await install(folder)).error.code).toBe('newer-engine');

    expect((await imago(['doctor', '--json'], environment, { at: newer })).json()).toMatchObject({
      exit_code: 0,
      findings: [],
    });
    expect((await imago(['migrate', '--yes'], environment, { at: newer })).code).toBe(0);
    await expectAllMigrated(db.sql);

    // What was released is never changed.
    const released = path.join(newer, 'supabase/migrations');
    const [first = ''] = (await readdir(released)).sort();
    await writeFile(path.join(released, first), 'select 1;\n');
    const script = path.join(newer, 'scripts/build-sql.ts');
    const { code, stderr } = await execute(process.execPath, [script], newer);
    expect(code).toBe(1);
    expect(stderr).toContain(`Released, and changed since: supabase/migrations/${first}`);
  });
});

describe('the migration that removes Imago', () => {
  const remove = async (sql: Sql, discardJournal = false) =>
    await sql.begin(async (tx) => await tx.unsafe(uninstallPart(discardJournal).text));

  test('refuses while a run is unfinished', async () => {
    const db = await database({ app: 'sample', users: 10 });
    await call(db.sql, 'migrate_batch');
    const error = await refusal(remove(db.sql, true));
    expect(error.code).toBe('IM054');
    expect(error.message).toContain('run 1 of plan avatars (forward) is');
  });

  test('refuses while the app uses Imago', async () => {
    const db = await database({ app: 'sample', users: 1 });
    await db.sql.unsafe(`
      create view public.latest as select * from public.migration_log;
      create function public.f(r imago.run) returns text language sql as 'select 1::text';
      alter table public.users add column n integer default imago.setting_number('lanes');
      create policy p on public.users using (imago.setting_number('lanes') > 0);
      create table public.mine (run bigint references imago.run);`);
    const error = await refusal(remove(db.sql));
    expect(error.code).toBe('IM055');
    expect(error.message).toBe(
      'Imago cannot be removed: the app uses it (constraint mine_run_fkey on table mine, default value for column n of table users, function f(imago.run), policy p on table users, view latest)',
    );
    expect(await value(db.sql, "select to_regnamespace('imago') is not null")).toBe(true);
  });

  test('does nothing on a database without Imago', async () => {
    const db = await database({ migrated: false });
    await remove(db.sql);
  });
});

test('the first statement of the engine looks for every name that the engine needs', async () => {
  const db = await database();
  const names = await db.sql<{ name: string }[]>`
    select proname as name from pg_proc
    where pronamespace = 'public'::regnamespace and oid in (select a.object_id from imago.added a where a.plan is null)`;
  const text = await readFile(path.join(packageFolder, 'sql/engine/install_check.sql'), 'utf8');
  for (const { name } of names) expect(text).toContain(`'${name}'`);
});

test('the version that the code knows is that of the engine', async () => {
  const db = await database();
  const { knownEngine } = await import('../../functions/_shared/engine.ts');
  expect(await call(db.sql, 'get_engine_version')).toEqual({ version: knownEngine });
});
