/** Releases: what was pushed stays as it is, what comes after leads from each of them to what the sources say. */
import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { knownEngine } from '../../functions/_shared/engine.ts';
import { readParts } from '../../scripts/install/parts.ts';
import { buildAtOnce, migrationFile, readManifest } from '../../scripts/manifest.ts';
import { packageFolder } from '../../scripts/package.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { execute, imago, install, projectFolder, push, put } from '../support/project.ts';

async function bare(options: Parameters<typeof freshDatabase>[0] = {}): Promise<TestDatabase> {
  const db = await freshDatabase({ migrated: false, ...options });
  onTestFinished(() => db.drop());
  return db;
}

/** Everything that is installed, as text: objects with their definitions, comments and rights, and the rows that come with them. */
async function installed(sql: Sql): Promise<string[]> {
  const objects = await sql<{ line: string }[]>`
    with schemas as (
      select n.oid, n.nspname, n.nspacl from pg_namespace n
      where n.nspname in ('imago', 'imago_undo') or exists (select from imago.plan p where p.name = n.nspname)
    ), functions as (
      select p.* from pg_proc p
      where p.pronamespace in (select oid from schemas)
        or p.pronamespace = 'public'::regnamespace and obj_description(p.oid, 'pg_proc') like 'Imago%'
    ), relations as (
      select c.*, c.oid::regclass::text as name from pg_class c
      where c.relkind in ('r', 'v', 'S', 'c') and (c.relnamespace in (select oid from schemas) or c.oid = 'public.migration_log'::regclass)
    )
    select concat_ws(' | ', 'schema', nspname, nspacl::text, obj_description(oid, 'pg_namespace')) as line from schemas
    union all
    select concat_ws(' | ', pg_get_functiondef(oid), proacl::text, obj_description(oid, 'pg_proc')) from functions
    union all
    select concat_ws(' | ', relkind::text, name, relacl::text, obj_description(oid, 'pg_class'), pg_get_viewdef(case when relkind = 'v' then oid end))
    from relations
    union all
    select concat_ws(' | ', r.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text, a.attidentity::text,
      pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum))
    from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    union all
    select concat_ws(' | ', r.name, k.conname, pg_get_constraintdef(k.oid)) from relations r join pg_constraint k on k.conrelid = r.oid
    union all
    select pg_get_indexdef(i.indexrelid) from relations r join pg_index i on i.indrelid = r.oid
    union all
    select pg_get_triggerdef(t.oid) from relations r join pg_trigger t on t.tgrelid = r.oid where not t.tgisinternal`;
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'imago'`;
  const rows = await Promise.all(
    tables.map(({ name }) =>
      sql.unsafe<{ line: string }[]>(
        `select concat_ws(' | ', '${name}', to_jsonb(t) - '{id,created_at,updated_at,object_id,noted_in}'::text[]) as line from ${name} t`,
      ),
    ),
  );
  return [objects, ...rows].flatMap((lines) => lines.map(({ line }) => line)).sort();
}

/** The migrations of the package up to one of them, as they are pushed. */
async function upTo(last: string): Promise<[name: string, text: string][]> {
  const names = Object.keys(readManifest());
  return await Promise.all(
    names
      .slice(0, names.indexOf(last) + 1)
      .map(async (name) => [name, await readFile(migrationFile(name), 'utf8')] as [string, string]),
  );
}

describe('each migration, as it was released,', () => {
  const names = Object.keys(readManifest());
  test.each(names)(
    '%s leads on to the newest: data and a paused run go through, nothing is missing',
    async (name) => {
      const db = await bare({ app: 'sample', users: 40 });
      const folder = await projectFolder();
      const applied = new Set<string>();
      // The first one by the CLI; what it does with files is the same for each.
      const apply = async () => {
        if (name === names[0]) return expect(await push(folder, db.url)).toMatchObject({ code: 0 });
        const files = await readdir(path.join(folder, 'supabase/migrations'));
        for (const file of files.sort().filter((file) => !applied.has(file))) {
          const text = await readFile(path.join(folder, 'supabase/migrations', file), 'utf8');
          await db.sql.begin((tx) => tx.unsafe(text));
          applied.add(file);
        }
      };
      for (const [file, text] of await upTo(name)) await put(folder, `supabase/migrations/${file}.sql`, text);
      await apply();
      const before = await checksums(db.sql);
      const hasAvatars = (await db.sql`select from imago.plan where name = 'avatars'`).length > 0;
      if (hasAvatars) {
        await prepareAll(db.sql);
        await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 10 });
        await call(db.sql, 'pause_migration');
      }

      const plans = readParts().flatMap(({ plan }) => plan ?? []);
      expect(await install(folder, '--plans', [...new Set(plans)].join(','))).toMatchObject({
        exit_code: 0,
        kept: [],
      });
      await apply();
      if (hasAvatars) await call(db.sql, 'resume_migration');
      else await prepareAll(db.sql);
      await migrateAll(db.sql);
      await expectAllMigrated(db.sql);
      await rollbackAll(db.sql);
      expect(await checksums(db.sql)).toEqual(before);
    },
  );

  test('leads to what the sources say, also where they are installed at once', async () => {
    const [pushed, atOnce] = [await bare({}), await bare({})];
    const newest = Object.keys(readManifest()).at(-1) ?? '';
    for (const [, text] of await upTo(newest)) await pushed.sql.begin((tx) => tx.unsafe(text));
    await atOnce.sql.begin((tx) => tx.unsafe(buildAtOnce(readManifest())));
    expect(await installed(pushed.sql)).toEqual(await installed(atOnce.sql));
  });
});

describe('after a release', () => {
  /** A copy of the package whose migrations have been released. */
  async function releasedCopy() {
    const copy = path.join(await projectFolder(), 'imago');
    await mkdir(copy);
    for (const name of ['scripts', 'functions', 'sql', 'supabase', 'package.json', '.env.example'])
      await cp(path.join(packageFolder, name), path.join(copy, name), { recursive: true });
    await execute('ln', ['-s', path.join(packageFolder, 'node_modules'), 'node_modules'], copy);
    const node = (...args: string[]) => execute(process.execPath, args, copy);
    const build = (...options: string[]) => node('scripts/build-sql.ts', ...options);
    const released = await build('--release');
    expect(released.code, released.stderr).toBe(0);
    expect(released.stderr).toMatch(/^(Released, and never built again: |Everything was released before)/m);
    const edit = async (file: string, from: string | RegExp, to: string) =>
      put(copy, file, (await readFile(path.join(copy, file), 'utf8')).replace(from, to));
    return { copy, node, build, edit };
  }

  test('a changed function that no new migration has is named; a number that is too early, too', async () => {
    const { copy, build, edit } = await releasedCopy();
    await edit('sql/engine/functions/call/percentage.sql', " is '", " is 'Version 2. ");
    for (const options of [[], ['--check'], ['--release']]) {
      expect(await build(...options)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(
          'in no migration after it: sql/engine/functions/call/percentage.sql\n',
        ),
      });
    }
    const manifest = await readFile(path.join(copy, 'sql/manifest.json'), 'utf8');
    const entry = (number: string) =>
      `${manifest.trimEnd().slice(0, -2)},\n  "${number}_imago_engine_2": ["engine/functions/call/percentage.sql"]\n}`;
    await put(copy, 'sql/manifest.json', entry('20260101000000'));
    expect((await build()).stderr).toContain('20260101000000_imago_engine_2 must have a later number');
    await put(copy, 'sql/manifest.json', entry('20990101000000'));
    expect(await build()).toMatchObject({ code: 0 });
    expect((await build('--release')).stderr).toContain('never built again: 20990101000000_imago_engine_2. ');
  });

  test('a function and a table that change reach a project by the CLI, in the middle of a run, and doctor finds nothing', async () => {
    const { copy, node, build, edit } = await releasedCopy();
    const db = await bare({ app: 'sample', users: 60 });
    const folder = await projectFolder();
    await install(folder);
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    const before = await checksums(db.sql);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 20 });
    await call(db.sql, 'pause_migration');

    await edit('sql/engine/functions/call/percentage.sql', " is '", " is 'Version 2. ");
    const next = knownEngine + 1;
    await edit(
      'sql/engine/tables/setting.sql',
      `('engine_version', '${knownEngine}'`,
      `('engine_version', '${next}'`,
    );
    await edit('sql/engine/tables/lane.sql', '\n) with', ',\n  added integer not null default 7\n) with');
    await edit('functions/_shared/engine.ts', `knownEngine = ${knownEngine}`, `knownEngine = ${next}`);
    await put(
      copy,
      `sql/engine/upgrades/${next}.sql`,
      `update imago.setting set value = '${next}' where name = 'engine_version';\n\nalter table imago.lane add column added integer not null default 7;\n`,
    );
    const manifest = JSON.parse(await readFile(path.join(copy, 'sql/manifest.json'), 'utf8'));
    manifest[`20990101000000_imago_engine_${next}`] = [
      `engine/upgrades/${next}.sql`,
      'engine/functions/call/percentage.sql',
    ];
    await put(copy, 'sql/manifest.json', JSON.stringify(manifest));
    expect(await build()).toMatchObject({ code: 0 });

    expect((await imago(['install', folder, '--json'], {}, { at: copy })).json()).toMatchObject({
      exit_code: 0,
      kept: [],
    });
    expect(await push(folder, db.url)).toMatchObject({ code: 0 });
    expect((await install(folder)).error.code).toBe('newer-engine');
    const findings = await node(
      '-e',
      `
      const { diagnose } = await import('./scripts/doctor/diagnose.ts');
      const { readParts } = await import('./scripts/install/parts.ts');
      const { default: postgres } = await import('postgres');
      const sql = postgres('${db.url}', { max: 1 });
      const [{ answer }] = await sql\`select public.inspect_installation() as answer\`;
      await sql.end();
      console.log(JSON.stringify(diagnose(answer, readParts())));`,
    );
    expect(JSON.parse(findings.stdout || findings.stderr)).toEqual([]);
    await call(db.sql, 'resume_migration');
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
    expect(await value(db.sql, 'select min(added) from imago.lane')).toBe(7);
    await rollbackAll(db.sql);
    expect(await checksums(db.sql)).toEqual(before);

    // The same as the sources make at once, but for what the run has left.
    const atOnce = await bare({});
    const { stdout } = await node(
      '-e',
      "const m = await import('./scripts/manifest.ts'); process.stdout.write(m.buildAtOnce(m.readManifest()));",
    );
    await atOnce.sql.begin((tx) => tx.unsafe(stdout));
    const upgraded = await bare({});
    for (const name of Object.keys(manifest)) {
      const text = await readFile(path.join(copy, 'supabase/migrations', `${name}.sql`), 'utf8');
      await upgraded.sql.begin((tx) => tx.unsafe(text));
    }
    expect(await installed(upgraded.sql)).toEqual(await installed(atOnce.sql));
  });
});
