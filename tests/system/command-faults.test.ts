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
  test('replies lost after the commit do no harm, forward and back', async () => {
    const project = await freshProject();
    const before = await checksums(project.db.sql);
    const { environment } = await throughProxy(project, (name, count) => {
      const isLost =
        (name === 'migrate_batch' && count % 4 === 2) || (name === 'rollback_batch' && count % 3 === 1);
      return isLost ? 'lose-reply' : 'none';
    });
    const finished = await runCommand(['--yes', '--json', ...small], environment);
    expect(finished.code).toBe(0);
    const result = finished.json();
    expect(result.lost_replies).toBeGreaterThan(0);
    // What the lost replies told is not in the sum, but it is in the database.
    expect(result.migrated).toBeLessThan(300);
    expect(result.progress.migrated_users).toBe(300);
    await expectAllMigrated(project.db.sql);

    const back = await runCommand(['--rollback', '--yes', '--json', '--max-ms', '20'], environment);
    expect(back.code).toBe(0);
    expect(back.json().lost_replies).toBeGreaterThan(0);
    expect(await checksums(project.db.sql)).toEqual(before);
  });

  test('the lost reply that all is done is asked for again', async () => {
    const project = await freshProject({ avatars: 'prepared' });
    const { proxy, environment } = await throughProxy(project);
    proxy.decide = (name) => (name === 'migrate_batch' && proxy.lost === 0 ? 'lose-done' : 'none');
    const several = ['--batch-size', '50', '--max-ms', '1'];
    const finished = await runCommand(['--yes', '--json', ...several, '--workers', '1'], environment);
    expect(proxy.lost).toBe(1);
    expect(finished.code).toBe(0);
    expect(finished.json()).toMatchObject({ status: 'done', lost_replies: 1 });
    await expectAllMigrated(project.db.sql);
    // Nor is a second run begun to find that out.
    expect([...(await project.db.sql`select state from imago.run`)]).toEqual([{ state: 'succeeded' }]);
  });

  test('every kind of fault in turn, on every call: all users are moved, and it ends with 0', async () => {
    const project = await freshProject({ avatars: 'prepared' });
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

  test('an address where nobody answers ends with 1 and the cause, as does a gateway that answers for a missing server', async () => {
    const environment = { SUPABASE_URL: 'http://127.0.0.1:9', SUPABASE_SECRET_KEY: 'sb_secret_x' };
    const { code, stdout } = await runCommand(['--yes'], environment);
    expect(code).toBe(1);
    expect(stdout).toContain('could not be made');

    const gateway = await startProxy(environment.SUPABASE_URL, () => 503);
    onTestFinished(() => gateway.close());
    const finished = await runCommand(['--yes', '--json'], { ...environment, SUPABASE_URL: gateway.url });
    expect(finished.code).toBe(1);
    expect(finished.json().error).toMatchObject({ code: 'HTTP', message: expect.stringContaining('503') });
    expect(gateway.log).toHaveLength(4);
  });
});

test('npm run migrate, interrupted in each way, killed and paused, moves each user once', async () => {
  const project = await freshProject({ avatars: 'prepared' });
  const { sql } = project.db;
  const before = await checksums(sql);
  // So small that there is work for all of them.
  const tiny = ['--yes', '--batch-size', '2', '--max-ms', '1'];
  const moved = () => value<number>(sql, 'select count(*)::int from public.avatars');

  // Ctrl-C lets the running batches end, ends with 130 and says how to go on.
  const second = await throughProxy(project, () => 'slow');
  const interrupted = startCommand([...tiny, '--json', '--workers', '2'], second.environment);
  await second.proxy.passed('migrate_batch', 8);
  interrupted.child.kill('SIGINT');
  // npm passes the same key press on a second time.
  interrupted.child.kill('SIGINT');
  const { code, stderr, json } = await interrupted.finished;
  expect(code).toBe(130);
  expect(stderr).toContain('the running batches are let end');
  const result = json();
  expect(result).toMatchObject({ status: 'interrupted', exit_code: 130 });
  expect(result.next[0]).toContain('--batch-size 2');
  // Nothing was cut off: what the answers said is what the database has.
  expect(result.lost_replies).toBe(0);
  expect(result.progress.migrated_users).toBe(result.migrated);
  expect(result.migrated).toBeGreaterThan(0);
  expect(await moved()).toBeLessThan(300);
  expect(await checksums(sql)).toEqual(before);

  // At the second Ctrl-C it ends at once.
  const third = await throughProxy(project, (name, count) =>
    name === 'migrate_batch' && count > 1 ? 'hang' : 'none',
  );
  const hanging = startCommand([...tiny, '--workers', '1'], third.environment);
  await third.proxy.passed('migrate_batch', 3);
  hanging.child.kill('SIGINT');
  await hanging.says('the running batches are let end');
  // What comes sooner is the same key press.
  await new Promise((resolve) => setTimeout(resolve, 700));
  hanging.child.kill('SIGINT');
  const left = await hanging.finished;
  expect(left.code).toBe(130);
  expect(left.stderr).toContain('Left at once');

  // So it does during the wait for another try.
  const fourth = await throughProxy(project, (name, count) =>
    name === 'migrate_batch' && count > 1 ? 503 : 'none',
  );
  const waiting = startCommand([...tiny, '--json', '--workers', '1'], fourth.environment);
  await waiting.says('3 times in a row');
  waiting.child.kill('SIGINT');
  expect((await waiting.finished).code).toBe(130);

  // Killed outright, and started again.
  const { proxy, environment: slow } = await throughProxy(project, () => 'slow');
  for (const calls of [4, 8, 12]) {
    const killed = startCommand(tiny, slow);
    await proxy.passed('migrate_batch', calls);
    killed.child.kill('SIGKILL');
    await killed.finished;
  }

  // The lost reply to a transition is not taken for a refusal.
  const fifth = await throughProxy(project, (name, count) =>
    name === 'pause_migration' && count === 0 ? 'lose-reply' : 'none',
  );
  const calls = proxy.log.filter(({ name }) => name === 'migrate_batch').length;
  const driver = startCommand(tiny, slow);
  await proxy.passed('migrate_batch', calls + 4);
  const paused = await runCommand(['--pause', '--yes', '--json'], fifth.environment);
  expect(paused.code).toBe(0);
  expect(paused.json()).toMatchObject({ status: 'done', state: 'paused' });
  expect((await driver.finished).code).toBe(3);

  // And all that is completed by one more.
  const rest = 300 - (await moved());
  expect(rest).toBeGreaterThan(0);
  const resumed = await runCommand(['--resume', '--yes', '--json'], project.environment);
  expect(resumed.code).toBe(0);
  expect(resumed.json().migrated).toBe(rest);
  await expectAllMigrated(sql);
  expect(await moved()).toBe(300);
});
