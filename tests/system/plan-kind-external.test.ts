import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { plansFolder } from '../../scripts/plan/project.ts';
import { call, value } from '../support/call.ts';
import { freshProject, runCommand } from '../support/command.ts';
import { projectFolder } from '../support/project.ts';

/** `imago plan new --kind external`: a plan whose work a function in TypeScript does, from new to migrate. */

const script = 'scripts/plan.ts';
const things = `create table public.notes (id bigint generated always as identity primary key, body text);
insert into public.notes (body) values ('one'), (null), ('a "b"');
`;
const file = `${plansFolder}/hashes/external.ts`;
const sums = (column: string) =>
  `select count(*)::int from public.notes where ${column} = encode(sha256(convert_to(coalesce(body, ''), 'UTF8')), 'hex')`;

/** A project with the plan, as it is written. */
async function begun(): Promise<string> {
  const folder = await projectFolder({ 'supabase/migrations/20250102000000_notes.sql': things });
  await symlink(path.join(packageFolder, 'node_modules'), path.join(folder, 'node_modules'));
  const made = await plan(
    folder,
    'new hashes --source public.notes --key id --kind external --column hash --value s.body',
  );
  expect(made.code, made.stderr).toBe(0);
  expect(made.stdout.split('\n')).toContain(file);
  return folder;
}

const plan = (folder: string, words: string) =>
  runCommand([...words.split(' '), '--workdir', folder], {}, { script });

test('plan new --kind external writes a plan that check, test, build and migrate take as it is', async () => {
  const folder = await begun();
  const checked = await plan(folder, 'check hashes --json');
  expect(checked.code, checked.stderr).toBe(0);
  expect(checked.json()).toMatchObject({ status: 'clean', errors: 0 });

  const tested = await plan(folder, 'test hashes --json');
  const { checks, ...rest } = tested.json() as {
    checks: { title: string; ok: boolean | null; message?: string }[];
  };
  expect(checks.filter(({ ok }) => ok === false)).toEqual([]);
  expect(rest).toMatchObject({ status: 'passed', exit_code: 0 });
  expect(checks.filter(({ ok }) => ok === null).map(({ message }) => message)).toEqual([
    'a dry run does not call the function',
    'the caller that would be killed works outside',
    'a sync cannot call the function: new rows wait for the next run',
  ]);
  expect(checks.filter(({ ok }) => ok).map(({ title }) => title)).toEqual(
    expect.arrayContaining([
      'each row gets what the function makes of it',
      '20 callers move each entity once, and take each back once',
      'one entity that cannot be moved is set aside alone, and moved once it is fixed',
    ]),
  );

  const built = await plan(folder, 'build --json');
  expect(built.code, built.stderr).toBe(0);
  const { db, environment } = await freshProject({ app: 'none' });
  await db.sql.unsafe(things);
  const added = (built.json() as { files: string[] }).files.find((name) =>
    name.includes('imago_plan_hashes'),
  );
  await db.sql.unsafe(await readFile(path.join(folder, added ?? ''), 'utf8'));
  const migrated = await runCommand(['--plan', 'hashes', '--yes'], environment, { cwd: folder });
  expect(migrated.code, migrated.stderr).toBe(0);
  expect(await value(db.sql, sums('hash'))).toBe(3);
  const back = await runCommand(['--plan', 'hashes', '--rollback', '--yes'], environment, { cwd: folder });
  expect(back.code, back.stderr).toBe(0);
  expect(await value(db.sql, 'select count(hash)::int from public.notes')).toBe(0);
  while ((await call(db.sql, 'cleanup_migration', { plan: 'hashes', older_than: '0' })).has_more);
  expect(
    await value(
      db.sql,
      "select count(*)::int from pg_attribute where attrelid = 'public.notes'::regclass and attname = 'hash' and not attisdropped",
    ),
  ).toBe(0);
});

test('plan test tells what a function does wrong, and where there is none', async () => {
  const folder = await begun();
  const place = path.join(folder, file);
  const text = await readFile(place, 'utf8');
  await writeFile(place, text.replace(".update(value ?? '')", ".update('else')"));
  const { code, stdout } = await plan(folder, 'test hashes');
  expect(code).toBe(3);
  expect(stdout.match(/^FAILED {2}.*$/gm)).toEqual(['FAILED  each row gets what the function makes of it']);
  expect(stdout).toMatch(/^not {5}a dry run reports/m);
  await writeFile(place, text.replace('export const row', 'const row'));
  expect(await plan(folder, 'test hashes')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('does not export what is needed'),
  });
  await rm(place);
  expect(await plan(folder, 'test hashes')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`${file} is missing. (external-stage)`),
  });
});
