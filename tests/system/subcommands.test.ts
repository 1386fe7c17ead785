/** The bin `imago`, as people type it. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { freshProject, type Project, runCommand } from '../support/command.ts';
import { installCron, jobs } from '../support/cron.ts';

const imago = (args: string[], project?: Project) =>
  runCommand(args, project?.environment, { script: 'scripts/imago.ts' });

describe('the list of commands of imago', () => {
  test('is shown by --help and by help; --version is that of the package', async () => {
    const [help, word, version] = await Promise.all([
      imago(['--help']),
      imago(['help']),
      imago(['--version']),
    ]);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(word.stdout).toBe(help.stdout);
    for (const command of ['rollback', 'status', 'schedule', 'validate', 'doctor', 'db', 'plan', 'local']) {
      expect(help.stdout).toMatch(new RegExp(`^  ${command} {2,}\\w`, 'm'));
    }
    expect(version.stdout.trim()).toBe(JSON.parse(await readFile('package.json', 'utf8')).version);
    const rollback = await imago(['help', 'rollback']);
    expect(rollback.stdout).toContain('Usage: imago rollback');
  });

  test.each([
    [['stats'], 'Did you mean status?'],
    [['--rollback'], 'Type: imago rollback'],
    [['db', 'upgrade', '--nonsense'], 'imago db upgrade --help lists the options.'],
  ])('%j is refused with 2, and what was meant is said', async (args, says) => {
    const { code, stdout, stderr } = await imago(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(says);
  });
});

describe('the commands of imago on a project', () => {
  test('do what the flags do, and name commands in what to type next', async () => {
    const project = await freshProject({ users: 40 });
    const before = await imago(['status'], project);
    expect(before.stdout).toContain('Migrate: imago migrate');
    const migrated = await imago(['migrate', '--yes', '--json'], project);
    expect(migrated.json()).toMatchObject({
      action: 'migrate',
      migrated: 40,
      next: ['Take it back at any time: imago rollback'],
    });
    const [figures, flags] = await Promise.all([
      imago(['status', '--json'], project),
      runCommand(['--stats-only', '--json'], project.environment),
    ]);
    expect(figures.json()).toMatchObject({ action: 'stats', status: 'done' });
    expect(figures.json().statistics).toEqual(flags.json().statistics);
    const steps = await imago(['finalize', '--dry-run'], project);
    expect(steps).toMatchObject({ code: 0, stdout: expect.stringContaining('imago validate --detailed') });
    const back = await imago(['rollback', '--yes', '--json'], project);
    expect(back.json()).toMatchObject({
      action: 'rollback',
      rolled_back: 40,
      next: ['Forward again: imago migrate'],
    });
    const paused = await imago(['pause', '--yes', '--json'], project);
    expect([paused.code, paused.json().error.code]).toEqual([1, 'IM008']);
  });

  test('an unfinished rollback: status and migrate say that it is the rollback that goes on', async () => {
    const project = await freshProject({ users: 40 });
    await imago(['migrate', '--yes'], project);
    await project.db.sql`select imago.start_rollback('avatars', false)`;
    const status = await imago(['status', '--json'], project);
    expect(status.json().next).toEqual(['Go on with it: imago rollback']);
    const forward = await imago(['migrate', '--yes', '--json'], project);
    expect(forward.json()).toMatchObject({
      exit_code: 1,
      error: { code: 'IM017' },
      next: ['Let the rollback finish: imago rollback', 'Or end it where it is: imago cancel'],
    });
  });

  test('schedule hands the run to pg_cron at an interval, unschedule takes it away', async () => {
    const project = await freshProject({ users: 40 });
    const without = await imago(['schedule', '--yes', '--json'], project);
    expect(without.json()).toMatchObject({
      exit_code: 1,
      error: { code: 'IM031' },
      next: ['Migrate: imago migrate'],
    });
    await installCron(project.db);
    const asked = await imago(['schedule', '--json'], project);
    expect(asked.json()).toMatchObject({ exit_code: 2, error: { hint: expect.stringContaining('--yes') } });
    const never = await imago(['schedule', '--every', '7 minutes', '--yes', '--json'], project);
    expect(never.json()).toMatchObject({ exit_code: 2, status: 'usage', error: { code: 'IM033' } });
    expect(await jobs(project.db)).toEqual([]);

    const scheduled = await imago(['schedule', '--every', '1 minute', '--yes'], project);
    expect(scheduled.code).toBe(0);
    expect(scheduled.stdout).toContain('pg_cron drives the migration every minute');
    expect(scheduled.stdout).toContain('Take the job away: imago unschedule');
    expect(await jobs(project.db)).toMatchObject([{ jobname: 'imago avatars', schedule: '* * * * *' }]);

    const taken = await imago(['unschedule', '--yes'], project);
    expect(taken.stdout).toContain('The job is gone; the run stays as it is.');
    expect(await jobs(project.db)).toEqual([]);
    const again = await imago(['unschedule', '--yes', '--json'], project);
    expect(again.json()).toMatchObject({ exit_code: 0, message: 'There was no job. Nothing was changed.' });
  });

  test('schedule --finalize wants --yes before anything is called', async () => {
    const refused = await imago(['schedule', '--finalize', '--json']);
    expect(refused.json()).toMatchObject({
      exit_code: 2,
      message: expect.stringContaining('This cannot be taken back'),
    });
  });
});
