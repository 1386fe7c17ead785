/** Twelve shapes of apps on Supabase, in one project as it is: adopted, changed, up, down and up again, and beside Imago. */
import { cp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readCatalog } from '../../scripts/db/catalog.ts';
import { diagnose } from '../../scripts/doctor/diagnose.ts';
import { installationAnswer } from '../../scripts/doctor/installation.ts';
import { readParts } from '../../scripts/install/parts.ts';
import { call } from '../support/call.ts';
import { install } from '../support/project.ts';
import { cliPush, rowsOf, versionedProject } from '../support/versions.ts';

const folder = fileURLToPath(new URL('../fixtures/shapes/', import.meta.url));
const starters = fileURLToPath(new URL('../fixtures/starters/', import.meta.url));

/** What is there, rows of it, what the models add, and rows of that. Users come first. */
async function readShapes() {
  const files = (await readdir(folder)).sort(
    (a, b) => Number(b === 'profiles.sql') - Number(a === 'profiles.sql'),
  );
  const texts = await Promise.all(files.map((file) => readFile(`${folder}${file}`, 'utf8')));
  const parts = texts.map((text) => text.split(/^-- (?:Rows|Change|After)$/m));
  const all = (index: number) => parts.map((part) => part[index]).join('\n');
  return { count: files.length, schema: all(0), rows: all(1), change: all(2), after: all(3) };
}

test('twelve shapes of apps are adopted whole, change, and go down and up again', async () => {
  const shapes = await readShapes();
  expect(shapes.count).toBe(12);
  const project = await versionedProject();
  const { sql, run } = project;
  await sql.unsafe(shapes.schema);
  await sql.unsafe(shapes.rows);
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'audit')`;
  const rows = () => rowsOf(sql, ...tables.map(({ name }) => name));
  const original = await rows();

  expect((await run('init')).data).toMatchObject({
    files: [expect.stringMatching(/_baseline\.sql$/), 'supabase/schemas/baseline.sql'],
    missed: [],
    platform: expect.arrayContaining(['schema auth', 'schema storage', 'publication supabase_realtime']),
  });
  expect(await run('check')).toMatchObject({ status: 'done' });
  expect(await rows()).toEqual(original);

  await project.write({ 'schemas/change.sql': shapes.change });
  const { data } = await run('migrate', 'Change all', '--allow-data-loss');
  expect(data?.files).toHaveLength(2);
  await run('upgrade');
  expect(await run('check')).toMatchObject({ status: 'done' });
  await sql.unsafe(shapes.after);
  const [full, catalog] = [await rows(), await readCatalog(sql)];
  await run('downgrade');
  await run('upgrade');
  expect(await rows()).toEqual(full);
  expect(await readCatalog(sql)).toEqual(catalog);

  // Imago comes and goes, by the real CLI.
  expect(await install(project.folder)).toMatchObject({ status: 'done' });
  await cliPush(project);
  expect(diagnose(installationAnswer.parse(await call(sql, 'inspect_installation')), readParts())).toEqual(
    [],
  );
  expect(await run('check')).toMatchObject({ status: 'done' });
  expect(await install(project.folder, '--uninstall')).toMatchObject({ status: 'done' });
  await cliPush(project);
  expect(await readCatalog(sql)).toEqual(catalog);
  expect(await rows()).toEqual(full);
});

test('a project with versions and no models gets its models from the versions', async () => {
  const project = await versionedProject();
  await cp(`${starters}payments/supabase/migrations`, path.join(project.folder, 'supabase/migrations'), {
    recursive: true,
  });
  expect((await project.run('init')).data).toMatchObject({
    files: ['supabase/schemas/baseline.sql'],
    missed: [],
  });
  await project.run('upgrade');
  expect(await project.run('check')).toMatchObject({ status: 'done' });
  expect((await project.run('migrate', 'nothing')).data).toMatchObject({
    files: [],
    read: ['supabase/schemas/baseline.sql'],
  });
  expect((await project.run('init')).data?.files).toEqual([]);
});
