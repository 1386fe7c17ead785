/** Members by their kinds: projects by their API, databases without Imago, secrets in files and in the Vault; what the doctor says. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createSample } from '../../scripts/embedded/sample.ts';
import { openControl } from '../../scripts/fleet/control.ts';
import { diagnose } from '../../scripts/fleet/doctor.ts';
import { readProgress } from '../../scripts/fleet/rollout.ts';
import { freshProject } from '../support/command.ts';
import { freshDatabase } from '../support/database.ts';
import {
  addMember,
  begin,
  counts,
  type Fleet,
  freshFleet,
  freshMember,
  startWorker,
  USERS,
  untilState,
} from '../support/fleet.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await freshFleet();
});
afterAll(() => fleet.close());

const diagnosis = async () => {
  const jobs = openControl(fleet.url, () => {});
  return await diagnose(fleet.control, jobs, () => {}).finally(() => jobs.end());
};

test('a project by its API, a database by a file, one by the Vault, and one that is pushed first', async () => {
  const project = await freshProject({ users: USERS });
  process.env.FLEET_TEST_KEY = project.secretKey;
  await addMember(fleet, 'project', { projectUrl: project.url, keyEnv: 'FLEET_TEST_KEY' });

  const byFile = await freshMember();
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-fleet-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'url'), `${byFile.url}\n`);
  await addMember(fleet, 'by-file', { databaseUrlFile: path.join(folder, 'url') });

  const byVault = await freshMember();
  await fleet.control`create extension if not exists supabase_vault`;
  await fleet.control`select vault.create_secret(${byVault.url}, 'fleet_test')`;
  await addMember(fleet, 'by-vault', { databaseUrlVault: 'fleet_test' });

  const bare = await freshDatabase({ migrated: false });
  await createSample(bare.sql, USERS);
  process.env.FLEET_TEST_BARE = bare.url;
  await addMember(fleet, 'bare', { databaseUrlEnv: 'FLEET_TEST_BARE' });
  onTestFinished(async () => {
    for (const db of [byFile, byVault, bare]) await db.drop();
  });

  // Before: who can be worked, and that nobody is there to do it.
  const first = await begin(fleet, { stopPercent: 100 });
  const before = await diagnosis();
  expect(before).toMatchObject({ members: 4, reachable: 3, workers: 0 });
  expect(before.findings.map(({ code, object }) => [code, object])).toEqual([
    ['NO_WORKER', `rollout ${first}`],
    ['ENGINE_MISSING', 'bare'],
  ]);

  startWorker(fleet);
  const done = await untilState(fleet, first, 'succeeded');
  expect(done.members).toMatchObject({ succeeded: 3, skipped: 1 });
  expect(done.troubled).toMatchObject([{ member: 'bare', code: 'ENGINE_MISSING' }]);
  for (const db of [project.db, byFile, byVault])
    expect(await counts(db)).toEqual({ moved: USERS, avatars: USERS, wrong: 0 });

  const push = await begin(fleet, {
    kind: 'push',
    plan: undefined,
    members: ['bare', 'by-file', 'project'],
    stopPercent: 100,
  });
  const pushed = await untilState(fleet, push, 'succeeded');
  expect(pushed.members).toMatchObject({ succeeded: 2, skipped: 1 });
  expect(pushed.troubled).toMatchObject([{ member: 'project', code: 'NO_DATABASE_URL' }]);

  const again = await begin(fleet, { stopPercent: 100, tries: 10 });
  await untilState(fleet, again, 'succeeded');
  expect(await counts(bare)).toEqual({ moved: USERS, avatars: USERS, wrong: 0 });
  // Those that were done are asked once and have nothing to do.
  expect((await readProgress(fleet.control, again)).entities.moved).toBe(USERS);
  const after = await diagnosis();
  expect(after).toMatchObject({ reachable: 4, workers: 1, findings: [] });
});
