import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { readBehaviour } from '../../scripts/plan/behaviour.ts';
import { checkPlan } from '../../scripts/plan/check.ts';
import { createPlan } from '../../scripts/plan/create.ts';
import { plansFolder, readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { appMigrations, runAll } from '../../scripts/plan/schema.ts';
import type { Scratch } from '../../scripts/plan/scratch.ts';
import { type Result, testPlan } from '../../scripts/plan/test.ts';
import { runCommand, startCommand } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { projectFolder } from '../support/project.ts';

/** `imago plan test` on plans that are wrong; docs/write-a-plan.md has it on one that is right. */

const script = 'scripts/plan.ts';

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** On the server that all tests share: a command starts one of its own. */
const scratch: Scratch = {
  async database(template) {
    const db = await freshDatabase(template === undefined ? { migrated: false } : { template });
    databases.push(db);
    return db;
  },
};

/** What the command does, in this process. */
async function tested(folder: string, plan: string): Promise<Result[]> {
  const project = readProject(folder);
  const results: Result[] = [];
  const behaviour = readBehaviour(project, plan);
  for await (const result of testPlan(scratch, project, readPlan(project, plan), behaviour))
    results.push(result);
  return results;
}

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
        team_id uuid references public.teams on delete cascade, "user name" varchar(60) collate "C", is_active boolean default true, rate numeric(6, 2) default 1.5,
        primary key (team_id, "user name", rate)
      );`,
  });
  const project = readProject(folder);
  const { sql } = await scratch.database();
  await runAll(sql, project.migrations);
  const wish = { plan: 'roles', source: 'public.members', key: 'team_id,user name,rate', column: undefined };
  expect(await createPlan(sql, project, wish)).toMatchObject({ unfilled: [] });
  const plan = readPlan(project, 'roles');
  const engine = await freshDatabase();
  databases.push(engine);
  const findings = await checkPlan(engine.sql, {
    plan: 'roles',
    migration: wholeText(plan.sources),
    makeApp: async (db, entities) => {
      await runAll(db, appMigrations(project, plan));
      await readBehaviour(project, 'roles').makeRows(db, entities);
    },
  });
  expect(findings).toEqual([]);
  const results = await tested(folder, 'roles');
  expect(results.filter(({ message }) => message !== undefined)).toEqual([]);
  expect(results.length).toBeGreaterThan(10);
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
  await expect(tested(folder, 'trial')).rejects.toMatchObject({
    code,
    exitCode: exit,
    message: expect.stringContaining(message),
  });
});

test('plan test says what it refuses, as its exit code does', async () => {
  const { folder, edit } = await begun();
  await edit('test/conformance.toml', "side = 'old'", 'side = old');
  const refused = await runCommand(['test', 'trial', '--workdir', folder, '--json'], {}, { script });
  expect(refused.json()).toMatchObject({ exit_code: 2, error: { code: 'bad-test' } });
  expect(refused.code).toBe(2);
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
