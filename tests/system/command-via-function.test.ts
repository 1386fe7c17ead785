/** `npm run migrate -- --via-function`: through the edge functions on the real Deno, the same as without. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseOptions } from '../../scripts/migrate/options.ts';
import { viaFunction } from '../../scripts/migrate/via-function.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { value } from '../support/call.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { checksums } from '../support/imago.ts';
import { type Fault, type Proxy as FaultProxy, startProxy } from '../support/proxy.ts';

async function throughProxy(
  project: Project,
  decide: FaultProxy['decide'] = () => 'none',
): Promise<{ proxy: FaultProxy; environment: Record<string, string> }> {
  const proxy = await startProxy(project.url, decide);
  onTestFinished(() => proxy.close());
  return { proxy, environment: { ...project.environment, SUPABASE_URL: proxy.url } };
}

/** The actions in the log of requests, by the caller that the key names. */
const requested = async ({ db }: Project) =>
  (await db.sql`select detail from imago.log where event = 'requested' order by id`).map(
    ({ detail }) => detail,
  );

const firstUser = (project: Project) =>
  value<string>(project.db.sql, 'select id from public.users order by id limit 1');

describe('npm run migrate -- --via-function', () => {
  test('forward and back: the same output, exit code and rows as without', async () => {
    const project = await freshProject();
    const { db, environment } = project;
    const before = await checksums(db.sql);
    const { proxy, environment: proxied } = await throughProxy(project);

    const forward = await runCommand(['--yes', '--via-function', '--workers', '2'], proxied);
    expect(forward).toMatchObject({ code: 0 });
    expect(forward.stdout).toContain('All done.');
    expect(forward.stdout).toContain('300 of 300 users migrated (100 %)');
    await expectAllMigrated(db.sql);
    // Not one batch went past them.
    const called = proxy.log.map(({ name }) => name);
    expect(called).toContain('migrate');
    expect(called).not.toContain('migrate_batch');
    expect(await requested(project)).toContainEqual(
      expect.objectContaining({ action: 'run', caller: 'key:default' }),
    );

    const again = await runCommand(['--yes', '--json', '--via-function'], environment);
    expect(again.json()).toMatchObject({ status: 'done', exit_code: 0, migrated: 0 });

    const back = await runCommand(['--rollback', '--yes', '--json', '--via-function'], proxied);
    expect(back.json()).toMatchObject({ status: 'done', exit_code: 0, rolled_back: 300 });
    expect(proxy.log.map(({ name }) => name)).not.toContain('rollback_batch');
    expect(await checksums(db.sql)).toEqual(before);
  });

  test('counts the batches of each request, not the requests', async () => {
    const project = await freshProject();
    const { proxy, environment } = await throughProxy(project);
    const finished = await runCommand(
      ['--yes', '--json', '--via-function', '--workers', '1', '--max-ms', '60000'],
      environment,
    );
    expect(finished.code).toBe(0);
    expect(proxy.log.filter(({ name }) => name === 'migrate')).toHaveLength(1);
    // Each step of the preparation is one by itself.
    expect(finished.json().batches).toBeGreaterThan(3);
    expect(finished.json().migrated).toBe(300);
  });

  test('takes one user back, who is held then', async () => {
    const project = await freshProject();
    expect((await runCommand(['--yes', '--via-function'], project.environment)).code).toBe(0);
    const user = await firstUser(project);
    const back = await runCommand(
      ['--rollback', '--user', user, '--yes', '--json', '--via-function'],
      project.environment,
    );
    expect(back).toMatchObject({ code: 0 });
    expect(back.json()).toMatchObject({ rolled_back_user: { rolled_back: true } });
    expect(await value(project.db.sql, 'select count(*)::int from public.avatars')).toBe(299);
  });

  test('pauses, resumes and cancels a run', async () => {
    const project = await freshProject();
    const { db, environment } = project;
    await prepareAll(db.sql);
    await db.sql`select public.migrate_batch(batch_size => 20, max_ms => 1)`;

    const paused = await runCommand(['--pause', '--yes', '--via-function'], environment);
    expect(paused).toMatchObject({ code: 0, stdout: expect.stringContaining('Paused.') });
    const refused = await runCommand(['--yes', '--via-function'], environment);
    expect(refused).toMatchObject({ code: 3, stdout: expect.stringContaining('is paused') });
    const twice = await runCommand(['--pause', '--yes', '--via-function'], environment);
    expect(twice).toMatchObject({ code: 1, stdout: expect.stringContaining('IM008') });
    expect((await runCommand(['--cancel', '--yes', '--via-function'], environment)).code).toBe(0);
    expect((await runCommand(['--yes', '--via-function'], environment)).code).toBe(0);
    await expectAllMigrated(db.sql);
    const actions = (await requested(project)).map(({ action }) => action);
    expect(new Set(actions)).toEqual(new Set(['pause', 'run', 'cancel']));
  });

  test('sets a poisoned user aside with 3, and once fixed --retry-failed ends with 0', async () => {
    const project = await freshProject();
    const { db, environment } = project;
    await prepareAll(db.sql);
    const user = await firstUser(project);
    await db.sql`update public.users set display_name = 'Xq7' where id = ${user}`;
    await db.sql`alter table public.avatars add constraint sober check (name <> 'Xq7')`;
    const poisoned = await runCommand(['--yes', '--via-function'], environment);
    expect(poisoned).toMatchObject({ code: 3, stdout: expect.stringContaining('1 user set aside') });
    expect(poisoned.stdout + poisoned.stderr).not.toContain('Xq7');
    await db.sql`alter table public.avatars drop constraint sober`;
    expect((await runCommand(['--retry-failed', '--yes', '--via-function'], environment)).code).toBe(0);
    await expectAllMigrated(db.sql);
  });

  test('with a dry run, in each mode, leaves nothing', async () => {
    const project = await freshProject();
    const { proxy, environment } = await throughProxy(project);
    for (const mode of ['sample', 'full', 'preflight']) {
      const finished = await runCommand(
        ['--yes', '--json', '--via-function', `--dry-run=${mode}`],
        environment,
      );
      expect(finished.json()).toMatchObject({ exit_code: 0, dry_run: { mode } });
    }
    expect(proxy.log.map(({ name }) => name)).not.toContain('dry_run_migration');
    expect(await value(project.db.sql, 'select count(*)::int from imago.run')).toBe(0);
  });

  test('keeps the error budget of a run, and takes it back past that, also for a caller who does not name it', async () => {
    const project = await freshProject();
    const { db, environment } = project;
    await prepareAll(db.sql);
    const before = await checksums(db.sql);
    await db.sql`
      alter table public.avatars add constraint few check (hashtext(owner_user_id::text) % 4 <> 0)`;
    await runCommand(
      [
        '--yes',
        '--via-function',
        '--max-failures',
        '50%',
        '--on-failure',
        'rollback',
        '--batch-size',
        '5',
        '--max-ms',
        '1000',
      ],
      environment,
    );
    expect(
      await value(db.sql, `select max_failures || ' ' || on_failure from imago.run order by id limit 1`),
    ).toBe('50% rollback');
    await runCommand(['--rollback', '--yes', '--via-function'], environment);
    await db.sql`select public.migrate_batch(max_ms => 1, batch_size => 2, max_failures => '3', on_failure => 'rollback')`;
    const finished = await runCommand(['--yes', '--json', '--via-function', '--workers', '1'], environment);
    expect(finished.json()).toMatchObject({ exit_code: 1, error: { code: 'IM020' } });
    expect(await checksums(db.sql)).toEqual(before);
  });

  test('does not begin again a run that somebody cancels between two requests', async () => {
    const project = await freshProject({ users: 3000 });
    const { db } = project;
    let cancelled = false;
    const { proxy, environment } = await throughProxy(project, (name, count) =>
      name === 'migrate' && count > 0 && !cancelled ? 503 : 'none',
    );
    const command = startCommand(
      ['--yes', '--json', '--via-function', '--workers', '1', '--batch-size', '1', '--max-ms', '1000'],
      environment,
    );
    await proxy.passed('migrate', 2);
    await db.sql`select public.cancel_migration('avatars')`;
    cancelled = true;
    const finished = await command.finished;
    expect(finished.json()).toMatchObject({
      status: 'left',
      exit_code: 3,
      message: 'The migration was cancelled.',
    });
    expect([...(await db.sql`select state from imago.run`)]).toEqual([{ state: 'cancelled' }]);
  });
});

describe('npm run migrate -- --via-function on a bad network', () => {
  test('gets through every kind of fault, on every request, and does nothing twice', async () => {
    const project = await freshProject();
    const faults: Fault[] = ['none', 'cut', 'none', 503, 'lose-reply', 'none', 'break-off', 429];
    const { proxy, environment } = await throughProxy(project, (name, count) =>
      name === 'migrate' ? (faults[count % faults.length] as Fault) : 'none',
    );
    const finished = await runCommand(
      ['--yes', '--json', '--via-function', '--workers', '1', '--batch-size', '5', '--max-ms', '1000'],
      environment,
    );
    expect(finished).toMatchObject({ code: 0 });
    const faulty = proxy.log.filter(({ fault }) => fault !== 'none').length;
    expect(faulty).toBeGreaterThan(0);
    expect(finished.json().retries).toBe(faulty);
    await expectAllMigrated(project.db.sql);
  });

  test('Ctrl-C lets the running requests end, ends with 130, says how to go on, and that completes it', async () => {
    const project = await freshProject({ users: 3000 });
    await prepareAll(project.db.sql);
    const { proxy, environment } = await throughProxy(project);
    const command = startCommand(
      ['--yes', '--via-function', '--workers', '1', '--batch-size', '1', '--max-ms', '1000'],
      environment,
    );
    await proxy.passed('migrate', 2);
    command.child.kill('SIGINT');
    const finished = await command.finished;
    expect(finished.code).toBe(130);
    expect(finished.stdout).toContain(
      'Go on: node scripts/migrate.ts --via-function --batch-size 1 --max-ms 1000 --workers 1',
    );
    const moved = await value<number>(project.db.sql, 'select count(*)::int from public.avatars');
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(3000);
    expect((await runCommand(['--yes', '--via-function'], project.environment)).code).toBe(0);
    await expectAllMigrated(project.db.sql);
  });
});

describe('npm run migrate -- --via-function, where it cannot work', () => {
  test('with functions that are not deployed says how to deploy them, and changes nothing', async () => {
    const functionsFolder = await mkdtemp(path.join(tmpdir(), 'imago-functions-'));
    onTestFinished(() => rm(functionsFolder, { recursive: true }));
    const { environment, db } = await freshProject({ functionsFolder });
    const finished = await runCommand(['--yes', '--json', '--via-function'], environment);
    expect(finished.json()).toMatchObject({
      exit_code: 1,
      retries: 0,
      error: {
        code: 'NOT_DEPLOYED',
        message: 'The edge function migrate is not deployed on this project.',
        hint: expect.stringContaining('npx supabase functions deploy'),
      },
    });
    expect(await value(db.sql, 'select count(*)::int from imago.run')).toBe(0);
  });

  test('with a key that the functions do not know is refused after one try', async () => {
    const project = await freshProject();
    let error: unknown;
    try {
      await viaFunction(project.url, 'sb_secret_of_another_project')('migrate_batch', { plan: 'avatars' });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: 'unauthorized',
      status: 401,
      message: 'The edge function migrate refused the key (HTTP 401).',
    });
  });

  test('with a plan that there is not is wrong usage, as without --via-function', async () => {
    const { environment } = await freshProject();
    const finished = await runCommand(
      ['--yes', '--json', '--via-function', '--plan', 'nothing'],
      environment,
    );
    expect(finished.json()).toMatchObject({ exit_code: 2, error: { code: 'IM001' } });
  });

  test.each([
    [['--via-function', '--stats-only'], '--via-function cannot be combined with --stats-only.'],
    [['--via-function', '--watch'], '--via-function cannot be combined with --watch.'],
    [['--via-function', '--max-ms', '999'], 'With --via-function, --max-ms must be from 1000 to 140,000.'],
    [['--via-function', '--max-ms', '140001'], 'With --via-function, --max-ms must be from 1000 to 140,000.'],
  ])('%j is refused: %s', (args, message) => {
    expect(() => parseOptions(args, 'migrate')).toThrow(message);
  });
});
