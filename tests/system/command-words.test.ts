/** The commands say what a plan moves in the plan's words: messages, and users in the plan avatars. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { freshProject, runCommand } from '../support/command.ts';
import { messagesPlan, speaksOfUsers } from '../support/messages.ts';
import { PLAN } from '../support/plan.ts';

test('of a plan over the table messages the commands say messages, and nothing that they say speaks of users', async () => {
  const { db, environment } = await freshProject({ app: 'none' });
  await messagesPlan(db.sql);
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-words-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const said = async (script: string, ...args: string[]) => {
    const { stdout, stderr } = await runCommand(['--plan', PLAN, ...args], environment, {
      script: `scripts/${script}.ts`,
    });
    expect([args, stdout, stderr].filter((text) => speaksOfUsers.test(String(text)))).toEqual([]);
    return stdout;
  };
  expect(await said('migrate', '--dry-run=full')).toMatch(
    /1 message would be set aside.*40 messages, 39 moved/s,
  );
  expect(await said('migrate', '--yes')).toMatch(
    /All done except 1 message set aside.*migrated 39 messages in .*Messages/s,
  );
  expect(await said('migrate', '--stats-only')).toMatch(
    /39 of 40 messages migrated \(97\.5 %\).*messages a minute on average/s,
  );
  const json = JSON.parse(await said('migrate', '--stats-only', '--json'));
  expect(json.progress).toMatchObject({
    entity_singular: 'message',
    entity_plural: 'messages',
    total: 40,
    migrated: 39,
    pending: 1,
    failed: 1,
    remaining: 0,
    percentage: 97.5,
  });
  expect(json.statistics).toMatchObject({ total: 40, migrated: 39, pending: 1, percentage: 97.5 });
  expect(await said('migrate', '--watch', '--json')).toContain('"remaining":0');
  expect(await said('migrate', '--finalize', '--dry-run')).toContain('1 message set aside (5)');
  await db.sql`update public.messages set words = 100 where id = 7`;
  const report = path.join(folder, 'report.html');
  await said('validate', '--report', report);
  const html = await readFile(report, 'utf8');
  expect(html).toContain('Messages a minute');
  expect(html).toContain('it moved 39 messages');
  expect(html).toContain('Set aside for a retry: 1 message.');
  expect(html).not.toMatch(speaksOfUsers);
  expect(await said('migrate', '--rollback', '--yes')).toMatch(
    /All taken back except 1 message with conflicts/,
  );
  expect(await said('migrate', '--retry-failed', '--yes', '--json')).toContain('"action":"retry-failed"');

  const log = await db.sql`select l::text as line from public.migration_log l`;
  expect(log.map(({ line }) => line).filter((line) => speaksOfUsers.test(line))).toEqual([]);
  expect(log.map(({ line }) => line).join('\n')).toContain('1 message set aside');
});

test('of avatars the command says users, in the table and by the names of the guide', async () => {
  const { environment } = await freshProject({ users: 20 });
  const migrated = await runCommand(['--yes', '--json'], environment);
  const { progress, users_per_second, per_second } = migrated.json();
  expect(progress).toMatchObject({ total: 20, total_users: 20, entity_singular: 'user' });
  expect(users_per_second).toBe(per_second);
  const { stdout } = await runCommand(['--stats-only'], environment);
  expect(stdout).toMatch(/Users.*20 of 20 users migrated.*users a minute on average/s);
  // It has ended: nothing moves.
  expect(stdout).not.toContain('a minute now');
});
