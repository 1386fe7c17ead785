/** `npm run migrate` on a plan that has a direct step in prepare: it is run over DATABASE_URL. */
import { expect, test } from 'vitest';
import { value } from '../support/call.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { itemsPlan } from '../support/finalize.ts';
import { PLAN } from '../support/plan.ts';
import { until } from '../support/until.ts';

const statement = 'create index concurrently items_fresh_idx on public.items (fresh)';
const valid = "select indisvalid from pg_index where indexrelid = to_regclass('public.items_fresh_idx')";
const migrate = ['--plan', PLAN, '--yes', '--json'];

/** The plan trial, not migrated yet, with a direct step in prepare. */
async function trialProject(said = statement): Promise<Project> {
  const project = await freshProject({ app: 'none' });
  const step = {
    name: 'index on fresh',
    phase: 'prepare',
    returns: 'boolean',
    body: `return coalesce((${valid}), false);`,
    statement: said,
  } as const;
  await itemsPlan(project.db.sql, [step], { migrated: false });
  return project;
}

/** A build that waits for a transaction of the app: the command, and what lets it go on. */
async function waitingBuild(project: Project) {
  const { db } = project;
  const other = db.connect();
  await other`begin`;
  await other`update items set old = old where id = 1`;
  const command = startCommand(migrate, project.environment);
  await until('the build waits', async () => {
    const rows = await db.sql`
      select from pg_stat_activity
      where datname = current_database() and query like 'create index%' and wait_event_type = 'Lock'`;
    return rows.length > 0;
  });
  return { command, letGo: () => other`commit` };
}

test('a direct step of prepare is run outside a transaction, and the run goes on', async () => {
  const project = await trialProject();
  const ended = await runCommand(migrate, project.environment);
  expect(ended.stderr).toContain(`Running outside a transaction: ${statement}`);
  expect([ended.code, ended.json().tally?.migrated ?? ended.json().migrated]).toEqual([0, 40]);
  expect(await value(project.db.sql, valid)).toBe(true);
});

test('a direct step of prepare without DATABASE_URL: the command ends with 3 and says both ways', async () => {
  const project = await trialProject();
  const { DATABASE_URL: _, ...environment } = project.environment;
  const ended = await runCommand(migrate, environment);
  expect([ended.code, ended.json().error.code]).toEqual([3, 'IM042']);
  expect(ended.json().error.hint).toContain(statement);
  expect(ended.json().error.hint).toContain("select schedule_migration('trial')");
  expect(ended.json().next[0]).toContain('DATABASE_URL');
});

test('a direct step of prepare, killed half-way: the next call drops the invalid index and builds it again', async () => {
  const project = await trialProject();
  const { sql } = project.db;
  const { command, letGo } = await waitingBuild(project);
  command.child.kill('SIGKILL');
  await command.finished;
  // The server has not noticed yet: a command that comes now waits for it.
  const second = startCommand(migrate, project.environment);
  await second.says('Somebody else is running the statement');
  await sql`
    select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and query like 'create index%'`;
  await until('the build is given up', async () => (await value(sql, valid)) === false);
  await letGo();
  const ended = await second.finished;
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain('public.items_fresh_idx is invalid');
  expect(await value(sql, valid)).toBe(true);
});

test('a direct step of prepare, ended by Ctrl-C: the next command begins the build again', async () => {
  const project = await trialProject();
  const { command, letGo } = await waitingBuild(project);
  command.child.kill('SIGINT');
  const ended = await command.finished;
  expect([ended.code, ended.json().status]).toEqual([130, 'interrupted']);
  await letGo();
  expect((await runCommand(migrate, project.environment)).code).toBe(0);
  expect(await value(project.db.sql, valid)).toBe(true);
});

test('a direct step of prepare, run by two commands at once: the index is built once', async () => {
  const project = await trialProject();
  const { command, letGo } = await waitingBuild(project);
  const second = startCommand(migrate, project.environment);
  await second.says('Somebody else is running the statement');
  await letGo();
  for (const { finished } of [command, second]) expect(await finished).toMatchObject({ code: 0 });
});

test('a direct step of prepare that cannot succeed: the command ends with 1, and tells nothing of the rows', async () => {
  const project = await trialProject(statement.replace('(fresh)', '((1 / (id - 7)))'));
  const ended = await runCommand(migrate, project.environment);
  expect([ended.code, ended.json().error.code]).toEqual([1, '22012']);
  expect(ended.json().error.message).toContain('The statement of step "index on fresh" failed');
});
