/** The command as a process on a real database through the real Data API: what it does, says, and ends with. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { value } from '../support/call.ts';
import { freshProject, runCommand, startCommand } from '../support/command.ts';
import { everything } from '../support/everything.ts';
import { checksums } from '../support/imago.ts';
import { startProxy } from '../support/proxy.ts';

/** A user nobody else looks like, whose words must not turn up anywhere. */
const ada = { username: 'ada_xq7', display_name: 'Adelheid Xq7', bio: 'Collects xq7 barometers' };

/** Makes the avatar of one user impossible in a project that is prepared, with an error that quotes their name; returns their id. */
async function poison(sql: Sql): Promise<string> {
  const id = await value<string>(sql, 'select id from public.users order by id offset 7 limit 1');
  await sql`update public.users set ${sql(ada)} where id = ${id}`;
  await sql.unsafe(`alter table public.avatars add constraint sober check (name <> '${ada.display_name}')`);
  return id;
}

const mend = (sql: Sql) => sql`alter table public.avatars drop constraint sober`;

function expectNoPersonalData(...texts: string[]): void {
  for (const text of texts) {
    for (const word of Object.values(ada)) expect(text).not.toContain(word);
  }
}

describe('npm run migrate, forward and back', () => {
  test('looks, moves all, says so, ends with 0, and takes it back: to the byte, one user alone, or all but conflicts', async () => {
    const { db, environment, url } = await freshProject();
    const { sql } = db;
    const before = await checksums(sql);
    const untouched = await everything(sql);

    // Figures and dry runs change nothing.
    const figures = await runCommand(['--stats-only', '--json'], environment);
    expect(figures.code).toBe(0);
    expect(figures.json()).toMatchObject({
      action: 'stats',
      progress: { total_users: 300, migrated_users: 0, pending_users: 300 },
      statistics: { total_avatars: 0 },
      performance: { batches: 0 },
    });
    const sample = await runCommand(['--dry-run'], environment);
    expect(sample.code).toBe(0);
    expect(sample.stdout).toContain('Nothing was changed');
    const full = await runCommand(['--dry-run=full', '--json'], environment);
    expect(full.code).toBe(0);
    expect((await runCommand(['--dry-run=preflight'], environment)).code).toBe(0);
    expect(await everything(sql)).toEqual(untouched);

    // --json is one object on stdout, with the figures, and nothing else.
    const finished = await runCommand(['--json', '--yes', '--verbose', '--workers', '1'], environment);
    expect(finished.code).toBe(0);
    expect(finished.stdout.trim().split('\n')).toHaveLength(1);
    expect(finished.json()).toMatchObject({
      type: 'result',
      action: 'migrate',
      plan: 'avatars',
      target: { kind: 'project', url },
      status: 'done',
      exit_code: 0,
      migrated: 300,
      failed: 0,
      workers: 1,
      retries: 0,
      rows: { 'public.avatars': 300, 'public.users': 300 },
      progress: { migrated_users: 300, pending_users: 0 },
      statistics: { total_avatars: 300 },
    });
    expect(full.json().dry_run.rows).toMatchObject(finished.json().rows);
    // As many calls as the machine needs for them.
    const calls = finished.stderr.matchAll(
      /^migrate_batch \d+(?:\.\d)? m?s [a-z]+ processed \d+ migrated (\d+)$/gm,
    );
    expect([...calls].reduce((sum, [, moved]) => sum + Number(moved), 0)).toBe(300);
    expect(finished.stderr).toMatch(/^migrate_batch \d+(\.\d)? m?s done\b/m);
    const migrated = await everything(sql);
    expect((await runCommand(['--stats-only'], environment)).stdout).toContain('300 of 300 users migrated');
    expect(await everything(sql)).toEqual(migrated);

    const back = await runCommand(['--rollback', '--yes'], environment);
    expect(back.code).toBe(0);
    expect(back.stdout).toContain('All taken back.');
    expect(back.stdout).not.toContain('Checks');
    expect(await checksums(sql)).toEqual(before);
    expect(await value(sql, 'select count(*)::int from public.avatars')).toBe(0);

    const forward = await runCommand(['--yes'], environment);
    expect(forward).toMatchObject({ code: 0 });
    expect(forward.stderr.split('\n')[0]).toBe(`Target: ${url}, plan avatars`);
    expect(forward.stdout).toContain('All done.');
    expect(forward.stdout).toContain('300 of 300 users migrated (100 %)');
    expect(forward.stdout).toContain('--rollback');
    await expectAllMigrated(sql);
    expect(await checksums(sql)).toEqual(before);
    const again = await runCommand(['--yes', '--json'], environment);
    expect(again.code).toBe(0);
    expect(again.json()).toMatchObject({ status: 'done', migrated: 0 });

    // One user alone, whole or not at all.
    const [id, other, third] = (await sql`select id from public.users order by id limit 3`).map(
      (row) => row.id,
    );
    const alone = await runCommand(['--rollback', '--user', id, '--yes'], environment);
    expect(alone.code).toBe(0);
    expect(alone.stdout).toContain(`User ${id} is taken back`);
    expect(await value(sql, 'select active_avatar_id from public.users where id = $1', [id])).toBeNull();

    // Held: nothing remains to do, and batches leave them alone.
    const held = await runCommand(['--yes', '--json'], environment);
    expect(held.code).toBe(0);
    expect(held.json().progress).toMatchObject({ migrated_users: 299, held_users: 1 });

    // Others have since renamed their avatar.
    await sql`update public.avatars set name = ${ada.display_name} where owner_user_id in ${sql([other, third])}`;
    const refused = await runCommand(['--rollback', '--user', other, '--yes'], environment);
    expect(refused.code).toBe(3);
    expect(refused.stdout).toContain('--force');
    expectNoPersonalData(refused.stdout, refused.stderr);
    const forced = await runCommand(['--rollback', '--user', other, '--force', '--yes'], environment);
    expect(forced.code).toBe(0);

    const nobody = '00000000-0000-4000-8000-000000000000';
    const missing = await runCommand(['--rollback', '--user', nobody, '--yes'], environment);
    expect(missing.code).toBe(missing.stdout.includes('nothing to take back') ? 0 : 1);

    // A rollback that meets conflicts leaves those users and ends with 3.
    const { code, stdout, stderr } = await runCommand(['--rollback', '--yes'], environment);
    expect(code).toBe(3);
    expect(stdout).toContain('except 1 user with conflicts');
    expect(stdout).toContain('--rollback --force');
    expect(await value(sql, 'select count(*)::int from public.avatars')).toBe(1);
    expectNoPersonalData(stdout, stderr);
  });

  test('with several workers moves each user once', async () => {
    const { db, environment } = await freshProject({ avatars: 'prepared' });
    const { code, stdout } = await runCommand(
      ['--yes', '--json', '--workers', '3', '--batch-size', '10', '--max-ms', '50'],
      environment,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ workers: 3, migrated: 300 });
    await expectAllMigrated(db.sql);
    expect(await value(db.sql, "select count(*)::int from imago.run where state = 'running'")).toBe(0);
  });

  test('MIGRATION_BATCH_SIZE counts, .env is read, and what the checks find at the end is in the table, with what explains it, and ends with 3', async () => {
    const { db, environment } = await freshProject({ avatars: 'prepared' });
    const cwd = await mkdtemp(path.join(tmpdir(), 'imago-cwd-'));
    onTestFinished(() => rm(cwd, { recursive: true }));
    const lines = Object.entries({
      ...environment,
      MIGRATION_BATCH_SIZE: '30',
      MIGRATION_LOG_LEVEL: 'error',
    });
    await writeFile(path.join(cwd, '.env'), lines.map(([name, text]) => `${name}=${text}\n`).join(''));
    const clean = await runCommand(['--yes'], {}, { cwd });
    expect(clean).toMatchObject({ code: 0, stderr: '' });
    expect(clean.stdout).toMatch(/Checks\s+│ nothing is wrong/);
    expect(await value(db.sql, 'select max(size)::int from imago.batch')).toBe(30);

    await db.sql`
      update public.posts p set avatar_id = (
        select u.active_avatar_id from public.users u where u.id <> p.user_id order by u.id limit 1)
      where id in (select id from public.posts order by id limit 2)`;
    const { code, stdout } = await runCommand(['--yes'], environment);
    expect(code).toBe(3);
    expect(stdout).toContain('All done, but the checks find something wrong.');
    expect(stdout).toMatch(/Checks\s+│ posts_with_wrong_avatar: 2/);
    expect(stdout).toMatch(/See what, and what to do: .*validate.* --detailed/);

    const json = await runCommand(['--yes', '--json'], environment);
    expect(json.code).toBe(3);
    const finding = { name: 'posts_with_wrong_avatar', severity: 'error', found: 2, held: 0, partial: false };
    expect(json.json()).toMatchObject({ status: 'left', findings: [finding] });
    const watched = await runCommand(['--watch'], environment);
    expect(watched.code).toBe(3);
  });

  test('--no-backup leaves no way back, and says so', async () => {
    const { environment } = await freshProject({ avatars: 'prepared' });
    expect((await runCommand(['--no-backup', '--yes'], environment)).code).toBe(0);
    const { code, stdout } = await runCommand(['--rollback', '--yes', '--json'], environment);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error.code).toBe('IM009');
  });
});

describe('npm run migrate with failures', () => {
  test('a poisoned user is named by a dry run, set aside with 3, and once fixed --retry-failed ends with 0', async () => {
    const { db, environment } = await freshProject({ avatars: 'prepared' });
    await poison(db.sql);

    const dry = await runCommand(['--dry-run=full'], environment);
    expect(dry.code).toBe(3);
    expect(dry.stdout).toContain('1 user would be set aside');
    expectNoPersonalData(dry.stdout, dry.stderr);

    const first = await runCommand(['--yes', '--verbose'], environment);
    expect(first.code).toBe(3);
    expect(first.stdout).toContain('All done except 1 user set aside');
    expect(first.stdout).toContain('--retry-failed');
    expectNoPersonalData(first.stdout, first.stderr);

    const stats = await runCommand(['--stats-only'], environment);
    expect(stats.stdout).toContain('23514 1');
    expectNoPersonalData(stats.stdout, stats.stderr);

    const still = await runCommand(['--retry-failed', '--yes'], environment);
    expect(still.code).toBe(3);

    await mend(db.sql);
    const retried = await runCommand(['--retry-failed', '--yes', '--json'], environment);
    expect(retried.code).toBe(0);
    expect(retried.json()).toMatchObject({ status: 'done', migrated: 1 });
    await expectAllMigrated(db.sql);
  });

  test('past --max-failures a run with --on-failure rollback takes itself back, and says so; without, it stops with 1', async () => {
    const { db, environment } = await freshProject({ avatars: 'prepared' });
    await poison(db.sql);
    const before = await checksums(db.sql);
    const { code, stdout, stderr } = await runCommand(
      ['--yes', '--max-failures', '0', '--on-failure', 'rollback', '--batch-size', '5', '--max-ms', '20'],
      environment,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('is being taken back');
    expect(stdout).toContain('has been taken back');
    expect(await checksums(db.sql)).toEqual(before);
    expect(await value(db.sql, 'select count(*)::int from public.avatars')).toBe(0);

    const stopped = await runCommand(['--yes', '--max-failures', '0', '--json'], environment);
    expect(stopped.code).toBe(1);
    expect(stopped.json()).toMatchObject({ status: 'failed', error: { code: 'IM020' } });
    expectNoPersonalData(stopped.stdout);
  });

  test('an app without the tables that the plan needs, an unknown plan and a wrong key are named, and nothing is changed', async () => {
    const { db, environment } = await freshProject({ app: 'none' });
    const before = await everything(db.sql);
    const finished = await runCommand(['--yes', '--json'], environment);
    expect(finished.code).toBe(1);
    expect(finished.json().error).toMatchObject({ code: 'IM006', message: expect.stringContaining('users') });
    const preflight = await runCommand(['--dry-run=preflight'], environment);
    expect(preflight.code).toBe(3);
    expect(preflight.stdout).toContain('users');
    const unknown = await runCommand(['--plan', 'nonsense', '--yes'], environment);
    expect(unknown.code).toBe(2);
    expect(unknown.stdout).toContain('Installed plans: avatars');
    const stranger = await runCommand(['--yes'], { ...environment, SUPABASE_SECRET_KEY: 'sb_secret_wrong' });
    expect(stranger.code).toBe(1);
    expect(stranger.stdout).toContain('secret key');
    expect(await everything(db.sql)).toEqual(before);
  });
});

describe('npm run migrate, looking only', () => {
  test('--watch says that there is no run, and shows one that somebody else drives, as NDJSON', async () => {
    const { environment, url } = await freshProject({ avatars: 'prepared' });
    const nothing = await runCommand(['--watch'], environment);
    expect(nothing.code).toBe(3);
    expect(nothing.stdout).toContain('No run is under way');
    // Slow enough to be watched: each batch takes a tenth of a second more on its way.
    const slow = await startProxy(url, () => 'slow');
    onTestFinished(() => slow.close());
    const args = ['--yes', '--workers', '1', '--batch-size', '5', '--max-ms', '1'];
    const driver = startCommand(args, { ...environment, SUPABASE_URL: slow.url });
    await slow.passed('migrate_batch', 2);
    const watcher = await runCommand(['--watch', '--json'], environment);
    expect((await driver.finished).code).toBe(0);
    expect(watcher.code).toBe(0);
    const lines = watcher.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.slice(0, -1).every((line) => line.type === 'progress')).toBe(true);
    expect(lines.at(-1)).toMatchObject({ type: 'result', action: 'watch', status: 'done' });
    const shares = lines.slice(0, -1).map((line) => line.migrated_users);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(300);
  });
});

describe('npm run migrate, steering a run', () => {
  test('--cancel is not undone by what is driving, --pause stops every driver, --resume lets it go on', async () => {
    const { db, environment, url } = await freshProject({ avatars: 'prepared' });
    const slow = await startProxy(url, () => 'slow');
    onTestFinished(() => slow.close());
    const drive = async () => {
      const calls = slow.log.filter(({ name }) => name === 'migrate_batch').length;
      const driver = startCommand(['--yes', '--batch-size', '5', '--max-ms', '1'], {
        ...environment,
        SUPABASE_URL: slow.url,
      });
      await slow.passed('migrate_batch', calls + 10);
      return driver;
    };
    const cancelled = await drive();
    expect((await runCommand(['--cancel', '--yes'], environment)).code).toBe(0);
    const ended = await cancelled.finished;
    expect(ended.code).toBe(3);
    expect(ended.stdout).toContain('cancelled');
    expect([...(await db.sql`select state from imago.run`)]).toEqual([{ state: 'cancelled' }]);

    const driver = await drive();
    expect((await runCommand(['--pause', '--yes'], environment)).code).toBe(0);
    const stopped = await driver.finished;
    expect(stopped.code).toBe(3);
    expect(stopped.stdout).toContain('--resume');
    const refused = await runCommand(['--pause', '--yes', '--json'], environment);
    expect(refused.code).toBe(1);
    expect(refused.json().error.code).toBe('IM008');

    const resumed = await runCommand(['--resume', '--yes', '--json'], environment);
    expect(resumed.code).toBe(0);
    expect(resumed.json()).toMatchObject({ status: 'done', progress: { migrated_users: 300 } });
    await expectAllMigrated(db.sql);
    expect((await db.sql`select state from imago.run order by id`).map(({ state }) => state)).toEqual([
      'cancelled',
      'succeeded',
    ]);
  });
});
