import { expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { everything } from '../support/everything.ts';
import { createTally } from '../support/tally.ts';
import { until } from '../support/until.ts';

/** A project with a plan whose 6,000 items take a minute. */
async function slowProject(): Promise<Project> {
  const project = await freshProject({ app: 'none' });
  const keys = Array.from({ length: 6000 }, (_, i) => i + 1);
  await createTally(project.db.sql, 'integer', keys, { body: 'perform pg_sleep(0.01 * cardinality(keys));' });
  return project;
}

const asleep = ({ db }: Project) =>
  db.sql`select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;

test('says before it starts which tables it locks and for how long, and at its end what it has not tried', async () => {
  const { db, environment } = await slowProject();
  const before = await everything(db.sql);
  const sample = await runCommand(['--dry-run', '--plan', 'tally'], environment);
  expect(sample.stderr).toMatch(/For at most 3\.0 s it locks these tables .*public\.items/);
  expect(sample.stdout).toMatch(/What was tried works/);
  expect(sample.stdout).toMatch(/Not tried.*of 6,000 items \(time was up\)/s);
  expect(sample.stdout).not.toContain('It works');
  expect(sample.code).toBe(0);

  await prepareAll(db.sql, 'tally');
  const prepared = await everything(db.sql);
  const full = await runCommand(
    ['--dry-run=full', '--plan', 'tally', '--max-ms', '500', '--json'],
    environment,
  );
  expect(full.stderr).toMatch(/For at most 500 ms it locks the rows that it writes/);
  expect(full.json()).toMatchObject({
    status: 'left',
    exit_code: 3,
    message: expect.stringContaining('Not tried: '),
    dry_run: {
      limits: { full_ms: 500, wait_ms: 250 },
      locks: [{ object: 'public.items', mode: 'ROW EXCLUSIVE' }],
      stages: [{ outcome: 'part', reason: 'time', pending: 6000 }],
      estimate: { total: 6000 },
    },
  });
  expect(await everything(db.sql)).toEqual(prepared);
  expect(prepared.rows).toMatchObject({
    'public.items': (before.rows as Record<string, unknown>)['public.items'],
  });
});

test.each(['SIGINT', 'SIGKILL'] as const)(
  'stopped by %s the server stops as well, and nothing is left',
  async (signal) => {
    const project = await slowProject();
    await prepareAll(project.db.sql, 'tally');
    const before = await everything(project.db.sql);
    const running = startCommand(['--dry-run=full', '--plan', 'tally'], project.environment);
    await until('the dry run works', async () => (await asleep(project)).length > 0);
    running.child.kill(signal);
    expect((await running.finished).code).toBe(signal === 'SIGINT' ? 130 : null);
    await until('the server has stopped', async () => {
      const others = await project.db.sql`
      select from pg_stat_activity where datname = current_database() and application_name = 'imago'`;
      return others.length === 0;
    });
    expect(await everything(project.db.sql)).toEqual(before);
  },
);
