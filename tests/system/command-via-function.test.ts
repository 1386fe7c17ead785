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
  test('dry runs leave nothing; forward and back: the same output, exit code and rows as without; one user alone', async () => {
    const project = await freshProject();
    const { db, environment } = project;
    const before = await checksums(db.sql);
    const { proxy, environment: proxied } = await throughProxy(project);
    const called = () => proxy.log.map(({ name }) => name);

    for (const mode of ['sample', 'full', 'preflight']) {
      const finished = await runCommand(['--yes', '--json', '--via-function', `--dry-run=${mode}`], proxied);
      expect(finished.json()).toMatchObject({ exit_code: 0, dry_run: { mode } });
    }
    expect(called()).not.toContain('dry_run_migration');
    expect(await value(db.sql, 'select count(*)::int from imago.run')).toBe(0);

    // The batches of each request are counted, not the requests; each step of the preparation is one by itself.
    proxy.log.length = 0;
    const counted = await runCommand(
      ['--yes', '--json', '--via-function', '--workers', '1', '--max-ms', '60000'],
      proxied,
    );
    expect(counted.code).toBe(0);
    expect(called().filter((name) => name === 'migrate')).toHaveLength(1);
    expect(counted.json().batches).toBeGreaterThan(3);
    expect(counted.json().migrated).toBe(300);
    await expectAllMigrated(db.sql);
    expect(await requested(project)).toContainEqual(
      expect.objectContaining({ action: 'run', caller: 'key:default' }),
    );
    const again = await runCommand(['--yes', '--json', '--via-function'], environment);
    expect(again.json()).toMatchObject({ status: 'done', exit_code: 0, migrated: 0 });

    const back = await runCommand(['--rollback', '--yes', '--json', '--via-function'], proxied);
    expect(back.json()).toMatchObject({ status: 'done', exit_code: 0, rolled_back: 300 });
    expect(await checksums(db.sql)).toEqual(before);

    const forward = await runCommand(['--yes', '--via-function', '--workers', '2'], proxied);
    expect(forward).toMatchObject({ code: 0 });
    expect(forward.stdout).toContain('All done.');
    expect(forward.stdout).toContain('300 of 300 users migrated (100 %)');
    await expectAllMigrated(db.sql);
    // Not one batch went past the functions.
    expect(called()).toEqual(expect.arrayContaining(['migrate', 'rollback']));
    expect(called()).not.toContain('migrate_batch');
    expect(called()).not.toContain('rollback_batch');

    // One user is taken back alone, and held then.
    const user = await firstUser(project);
    const alone = await runCommand(
      ['--rollback', '--user', user, '--yes', '--json', '--via-function'],
      environment,
    );
    expect(alone).toMatchObject({ code: 0 });
    expect(alone.json()).toMatchObject({ rolled_back_user: { rolled_back: true } });
    expect(await value(db.sql, 'select count(*)::int from public.avatars')).toBe(299);
  });

  test('keeps the error budget of a run, and takes it back past that, also for a caller who does not name it; pauses and cancels; retries', async () => {
    const project = await freshProject({ avatars: 'prepared' });
    const { db, environment } = project;
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

    await db.sql`alter table public.avatars drop constraint few`;
    await db.sql`delete from imago.log`;
    await prepareAll(db.sql);
    await db.sql`select public.migrate_batch(batch_size => 20, max_ms => 1)`;
    const user = await value<string>(
      db.sql,
      'select id from public.users where active_avatar_id is null order by id limit 1',
    );
    await db.sql`update public.users set display_name = 'Xq7' where id = ${user}`;
    await db.sql`alter table public.avatars add constraint sober check (name <> 'Xq7')`;

    const paused = await runCommand(['--pause', '--yes', '--via-function'], environment);
    expect(paused).toMatchObject({ code: 0, stdout: expect.stringContaining('Paused.') });
    const refused = await runCommand(['--yes', '--via-function'], environment);
    expect(refused).toMatchObject({ code: 3, stdout: expect.stringContaining('is paused') });
    const twice = await runCommand(['--pause', '--yes', '--via-function'], environment);
    expect(twice).toMatchObject({ code: 1, stdout: expect.stringContaining('IM008') });
    expect((await runCommand(['--cancel', '--yes', '--via-function'], environment)).code).toBe(0);

    const poisoned = await runCommand(['--yes', '--via-function'], environment);
    expect(poisoned).toMatchObject({ code: 3, stdout: expect.stringContaining('1 user set aside') });
    expect(poisoned.stdout + poisoned.stderr).not.toContain('Xq7');
    const actions = (await requested(project)).map(({ action }) => action);
    expect(new Set(actions)).toEqual(new Set(['pause', 'run', 'cancel']));
    await db.sql`alter table public.avatars drop constraint sober`;
    expect((await runCommand(['--retry-failed', '--yes', '--via-function'], environment)).code).toBe(0);
    await expectAllMigrated(db.sql);
  });
});

test('npm run migrate -- --via-function: Ctrl-C, cancelled between two requests, and every kind of fault', async () => {
  const project = await freshProject({ avatars: 'prepared' });
  const { sql } = project.db;
  // Each batch takes a tenth of a second: no request of a second moves all.
  await sql.unsafe(`
    create function public.dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(0.1); return null; end';
    create trigger dawdle after insert on public.avatars for each statement execute function public.dawdle()`);
  const args = ['--yes', '--via-function', '--workers', '1', '--max-ms', '1000'];

  // Ctrl-C lets the running requests end, ends with 130, says how to go on.
  const first = await throughProxy(project);
  const interrupted = startCommand([...args, '--batch-size', '1'], first.environment);
  await first.proxy.passed('migrate', 2);
  interrupted.child.kill('SIGINT');
  const { code, stdout } = await interrupted.finished;
  expect(code).toBe(130);
  expect(stdout).toContain(
    'Go on: node scripts/migrate.ts --via-function --batch-size 1 --max-ms 1000 --workers 1',
  );
  const moved = await value<number>(sql, 'select count(*)::int from public.avatars');
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThan(300);

  // A run that somebody cancels between two requests is not begun again.
  let cancelled = false;
  const second = await throughProxy(project, (name, count) =>
    name === 'migrate' && count > 0 && !cancelled ? 503 : 'none',
  );
  const driving = startCommand([...args, '--json', '--batch-size', '1'], second.environment);
  await second.proxy.passed('migrate', 2);
  await sql`select public.cancel_migration('avatars')`;
  cancelled = true;
  expect((await driving.finished).json()).toMatchObject({
    status: 'left',
    exit_code: 3,
    message: 'The migration was cancelled.',
  });
  expect([...(await sql`select state from imago.run`)]).toEqual([{ state: 'cancelled' }]);

  // It gets through every kind of fault, on every request, does nothing twice, and completes what was left.
  const faults: Fault[] = ['none', 'cut', 'none', 503, 'lose-reply', 'none', 'break-off', 429];
  const third = await throughProxy(project, (name, count) =>
    name === 'migrate' ? (faults[count % faults.length] as Fault) : 'none',
  );
  const finished = await runCommand([...args, '--json', '--batch-size', '5'], third.environment);
  expect(finished).toMatchObject({ code: 0 });
  const faulty = third.proxy.log.filter(({ fault }) => fault !== 'none').length;
  expect(faulty).toBeGreaterThan(0);
  expect(finished.json().retries).toBe(faulty);
  await expectAllMigrated(sql);
});

describe('npm run migrate -- --via-function, where it cannot work', () => {
  test('with functions that are not deployed says how to deploy them, and changes nothing', async () => {
    const functionsFolder = await mkdtemp(path.join(tmpdir(), 'imago-functions-'));
    onTestFinished(() => rm(functionsFolder, { recursive: true }));
    const { environment, db } = await freshProject({ app: 'none', functionsFolder });
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

  test('with a key that the functions do not know is refused after one try; a plan that there is not is wrong usage', async () => {
    const { url, environment } = await freshProject({ app: 'none' });
    await expect(
      viaFunction(url, 'sb_secret_of_another_project')('migrate_batch', { plan: 'avatars' }),
    ).rejects.toMatchObject({
      code: 'unauthorized',
      status: 401,
      message: 'The edge function migrate refused the key (HTTP 401).',
    });
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
