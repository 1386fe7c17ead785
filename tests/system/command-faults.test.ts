/** The command on a bad network, and interrupted: nothing is lost, nothing is done twice. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { value } from '../support/call.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { checksums } from '../support/imago.ts';
import { type Fault, type Proxy as FaultProxy, startProxy } from '../support/proxy.ts';

/** Small batches, so that there are many calls. */
const small = ['--batch-size', '20', '--max-ms', '1'];

async function throughProxy(
  project: Project,
  decide?: FaultProxy['decide'],
): Promise<{ proxy: FaultProxy; environment: Record<string, string> }> {
  const proxy = await startProxy(project.url, decide);
  onTestFinished(() => proxy.close());
  return { proxy, environment: { ...project.environment, SUPABASE_URL: proxy.url } };
}

describe('npm run migrate on a bad network', () => {
  test('replies lost after the commit do no harm', async () => {
    const project = await freshProject();
    const before = await checksums(project.db.sql);
    const { environment } = await throughProxy(project, (name, count) =>
      name === 'migrate_batch' && count % 4 === 2 ? 'lose-reply' : 'none',
    );
    const finished = await runCommand(['--yes', '--json', ...small], environment);
    expect(finished.code).toBe(0);
    const result = finished.json();
    expect(result.lost_replies).toBeGreaterThan(0);
    // What the lost replies told is not in the sum, but it is in the database.
    expect(result.migrated).toBeLessThan(300);
    expect(result.progress.migrated_users).toBe(300);
    await expectAllMigrated(project.db.sql);

    expect((await runCommand(['--rollback', '--yes'], project.environment)).code).toBe(0);
    expect(await checksums(project.db.sql)).toEqual(before);
  });

  test('the lost reply that all is done is asked for again', async () => {
    const project = await freshProject();
    const { proxy, environment } = await throughProxy(project);
    proxy.decide = (name) => (name === 'migrate_batch' && proxy.lost === 0 ? 'lose-done' : 'none');
    const finished = await runCommand(['--yes', '--json', '--workers', '1'], environment);
    expect(proxy.lost).toBe(1);
    expect(finished.code).toBe(0);
    expect(finished.json()).toMatchObject({ status: 'done', lost_replies: 1 });
    await expectAllMigrated(project.db.sql);
    // Nor is a second run begun to find that out.
    expect([...(await project.db.sql`select state from imago.run`)]).toEqual([{ state: 'succeeded' }]);
  });

  test('every kind of fault in turn, on every call: all users are moved, and it ends with 0', async () => {
    const project = await freshProject();
    const faults: Fault[] = [
      'none',
      'cut',
      'none',
      503,
      'none',
      'lose-reply',
      'none',
      'break-off',
      'none',
      429,
    ];
    let calls = 0;
    const { environment } = await throughProxy(project, () => faults[calls++ % faults.length] ?? 'none');
    const { code, stdout } = await runCommand(['--yes', '--json', ...small, '--workers', '3'], environment);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).retries).toBeGreaterThan(3);
    await expectAllMigrated(project.db.sql);
  });

  test('a rollback through every kind of fault takes everything back, too', async () => {
    const project = await freshProject();
    const before = await checksums(project.db.sql);
    await runCommand(['--yes'], project.environment);
    const { environment } = await throughProxy(project, (name, count) =>
      name === 'rollback_batch' && count % 3 === 1 ? 'lose-reply' : 'none',
    );
    const { code } = await runCommand(['--rollback', '--yes', '--max-ms', '20'], environment);
    expect(code).toBe(0);
    expect(await checksums(project.db.sql)).toEqual(before);
  });

  test('the lost reply to a transition is not taken for a refusal', async () => {
    const project = await freshProject();
    const { environment: slow, proxy } = await throughProxy(project, () => 'slow');
    const driver = startCommand(['--yes', ...small], slow);
    await proxy.passed('migrate_batch', 12);
    const { environment } = await throughProxy(project, (name, count) =>
      name === 'pause_migration' && count === 0 ? 'lose-reply' : 'none',
    );
    const { code, stdout } = await runCommand(['--pause', '--yes', '--json'], environment);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'done', state: 'paused' });
    expect((await driver.finished).code).toBe(3);
  });

  test('an address where nobody answers ends with 1 and the cause', async () => {
    const { code, stdout } = await runCommand(['--yes'], {
      SUPABASE_URL: 'http://127.0.0.1:9',
      SUPABASE_SECRET_KEY: 'sb_secret_x',
    });
    expect(code).toBe(1);
    expect(stdout).toContain('could not be made');
  });

  test('a gateway that answers for a missing server is reported as such', async () => {
    const project = await freshProject({ app: 'none' });
    const { environment, proxy } = await throughProxy(project, () => 503);
    const finished = await runCommand(['--yes', '--json'], environment);
    expect(finished.code).toBe(1);
    expect(finished.json().error).toMatchObject({ code: 'HTTP', message: expect.stringContaining('503') });
    expect(proxy.log).toHaveLength(4);
  });
});

describe('npm run migrate, interrupted', () => {
  test('Ctrl-C lets the running batch end, ends with 130, says how to go on, and that completes it', async () => {
    const project = await freshProject({ users: 600 });
    const before = await checksums(project.db.sql);
    const { proxy, environment } = await throughProxy(project, () => 'slow');
    const command = startCommand(['--yes', '--json', ...small, '--workers', '2'], environment);
    await proxy.passed('migrate_batch', 20);
    command.child.kill('SIGINT');
    // npm passes the same key press on a second time.
    command.child.kill('SIGINT');
    const { code, stderr, json } = await command.finished;
    expect(code).toBe(130);
    expect(stderr).toContain('the running batches are let end');
    const result = json();
    expect(result).toMatchObject({ status: 'interrupted', exit_code: 130 });
    expect(result.next[0]).toContain('--batch-size 20');
    // Nothing was cut off: what the answers said is what the database has.
    expect(result.lost_replies).toBe(0);
    expect(result.progress.migrated_users).toBe(result.migrated);
    expect(result.migrated).toBeGreaterThan(0);
    expect(result.migrated).toBeLessThan(600);
    expect(await checksums(project.db.sql)).toEqual(before);

    const resumed = await runCommand(['--yes', '--json'], project.environment);
    expect(resumed.code).toBe(0);
    expect(resumed.json().migrated).toBe(600 - result.migrated);
    await expectAllMigrated(project.db.sql);
  });

  test('at the second Ctrl-C ends at once', async () => {
    const project = await freshProject();
    const { proxy, environment } = await throughProxy(project, (name, count) =>
      name === 'migrate_batch' && count > 10 ? 'hang' : 'none',
    );
    const command = startCommand(['--yes', ...small, '--workers', '1'], environment);
    await proxy.passed('migrate_batch', 12);
    command.child.kill('SIGINT');
    await command.says('the running batches are let end');
    await new Promise((resolve) => setTimeout(resolve, 700));
    command.child.kill('SIGINT');
    const { code, stderr } = await command.finished;
    expect(code).toBe(130);
    expect(stderr).toContain('Left at once');
    expect((await runCommand(['--yes'], project.environment)).code).toBe(0);
    await expectAllMigrated(project.db.sql);
  });

  test('during the wait for a second try ends at once', async () => {
    const project = await freshProject();
    const { environment } = await throughProxy(project, (name, count) =>
      name === 'migrate_batch' && count > 3 ? 503 : 'none',
    );
    const command = startCommand(['--yes', '--json', ...small, '--workers', '1'], environment);
    await command.says('3 times in a row');
    command.child.kill('SIGINT');
    const { code } = await command.finished;
    expect(code).toBe(130);
  });

  test('killed outright three times and started again moves each user once', async () => {
    const project = await freshProject({ users: 600 });
    const { proxy, environment } = await throughProxy(project, () => 'slow');
    for (const calls of [15, 25, 35]) {
      const command = startCommand(['--yes', ...small], environment);
      await proxy.passed('migrate_batch', calls);
      command.child.kill('SIGKILL');
      await command.finished;
    }
    expect((await runCommand(['--yes'], project.environment)).code).toBe(0);
    await expectAllMigrated(project.db.sql);
    expect(await value(project.db.sql, 'select count(*)::int from public.avatars')).toBe(600);
  });
});
