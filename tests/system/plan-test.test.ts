import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPlan } from '../../scripts/plan/create.ts';
import { plansFolder, readProject } from '../../scripts/plan/project.ts';
import { runCommand, startCommand } from '../support/command.ts';
import { freshDatabase } from '../support/database.ts';
import { projectFolder } from '../support/project.ts';

/** `imago plan test` on plans that are wrong; docs/write-a-plan.md has it on one that is right. */

const script = 'scripts/plan.ts';

/** A project with the plan `trial` on the table things. */
async function begun(): Promise<{
  folder: string;
  edit: (file: string, from: string | RegExp, to: string) => Promise<void>;
}> {
  const folder = await projectFolder();
  const { sql, drop } = await freshDatabase({ migrated: false });
  await sql`create table public.things (id integer primary key)`;
  const wish = { plan: 'trial', source: 'public.things', key: 'id', column: undefined };
  await createPlan(sql, readProject(folder), wish).finally(drop);
  const edit = async (file: string, from: string | RegExp, to: string) => {
    const place = path.join(folder, plansFolder, 'trial', file);
    const text = await readFile(place, 'utf8');
    expect(text.replace(from, () => to)).not.toBe(text);
    await writeFile(
      place,
      text.replace(from, () => to),
    );
  };
  return { folder, edit };
}

test('plan test names the checks that fail, with the reason, and goes on to the others', async () => {
  const { folder, edit } = await begun();
  await edit('registration.sql', /insert into imago\.plan_sync[\s\S]*?;\n/, '');
  await edit('test/conformance.toml', 'is distinct from s.id::text', "is distinct from 'else'");
  const { code, stdout, stderr } = await runCommand(['test', 'trial', '--workdir', folder], {}, { script });
  expect(code, stderr).toBe(3);
  const failed = [...stdout.matchAll(/^FAILED {2}(.*)$/gm)].map(([, title]) => title);
  expect(failed).toEqual([
    'each row gets its value',
    'once moved, what the app writes on one side is on the other in the same transaction, and no conflict',
  ]);
  expect(stdout).toContain("both sides are equal after the app's write: new rows");
  expect(stdout).toMatch(/^ok {6}says what each of its objects is for/m);
  expect(stderr).toContain('2 of 14 checks failed');
});

test('a plan that walks by several columns is made, and keeps what every plan has to keep', async () => {
  const folder = await projectFolder({
    'supabase/migrations/20250102000000_members.sql': `
      create table public.teams (id uuid primary key, name text);
      create table public.members (
        team_id uuid references public.teams on delete cascade, "user name" varchar(60) collate "C", is_active boolean default true,
        primary key (team_id, "user name")
      );`,
  });
  const run = (...args: string[]) => runCommand([...args, '--workdir', folder, '--json'], {}, { script });
  const made = await run('new', 'roles', '--source', 'public.members', '--key', 'team_id,user name');
  expect(made.json(), made.stderr).toMatchObject({ status: 'created', unfilled: [] });
  expect((await run('check', 'roles')).json()).toMatchObject({ status: 'clean', findings: [] });
  const tested = (await run('test', 'roles')).json() as { checks: { ok: boolean }[] };
  expect(tested.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(tested.checks.length).toBeGreaterThan(10);
});

test.each<
  [what: string, file: string, from: string | RegExp, to: string, code: string, exit: number, message: string]
>([
  ['TOML that is none', 'test/conformance.toml', "side = 'old'", 'side = old', 'bad-test', 2, 'line '],
  [
    'a side that is none',
    'test/conformance.toml',
    "side = 'old'",
    "side = 'left'",
    'bad-test',
    2,
    'writers.0.side',
  ],
  ['a word that is none', 'test/conformance.toml', 'entities = 60', 'entites = 60', 'bad-test', 2, 'entites'],
  ['rows that the app refuses', 'test/rows.sql', / i\n/, ' null::integer\n', 'rows-fail', 1, '23502'],
  ['a plan that cannot be pushed', 'schema.sql', "'public'", "'public', 1", 'plan-fails', 1, '42883'],
])('plan test refuses %s: %s', async (_, file, from, to, code, exit, message) => {
  const { folder, edit } = await begun();
  await edit(file, from, to);
  const refused = await runCommand(['test', 'trial', '--workdir', folder, '--json'], {}, { script });
  expect(refused.json()).toMatchObject({
    exit_code: exit,
    error: { code, message: expect.stringContaining(message) },
  });
  expect(refused.code).toBe(exit);
});

test('Ctrl-C ends plan test at once, and its server with it', async () => {
  const { folder } = await begun();
  const TMPDIR = await mkdtemp(path.join(tmpdir(), 'imago-interrupted-'));
  await chmod(TMPDIR, 0o755);
  onTestFinished(() => rm(TMPDIR, { recursive: true, force: true }));
  const running = startCommand(['test', 'trial', '--workdir', folder], { TMPDIR }, { script });
  let said = '';
  await new Promise<void>((resolve) => {
    running.child.stdout?.on('data', (chunk) => {
      said += chunk;
      if (said.includes('ok ')) resolve();
    });
    void running.finished.then(() => resolve());
  });
  running.child.kill('SIGINT');
  const { code, stderr } = await running.finished;
  expect(code, stderr).toBe(130);
  expect(stderr).toContain('Stopping');
  expect((await readdir(TMPDIR)).filter((name) => name.startsWith('imago-'))).toEqual([]);
});
