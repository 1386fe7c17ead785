/** `imago fleet` on real databases, as somebody types it. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { knownFleet } from '../../scripts/fleet/control.ts';
import { fleetProgress } from '../../scripts/fleet/progress.ts';
import { runCommand } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { counts, freshMember, USERS } from '../support/fleet.ts';
import { startManagementApi } from '../support/management-api.ts';
import { projectFolder } from '../support/project.ts';
import { parseScrape } from '../support/prometheus.ts';

let control: TestDatabase;
let members: TestDatabase[];
let environment: Record<string, string>;
/** All that was printed. */
let printed = '';

const fleet = async (...args: string[]) => {
  const finished = await runCommand(['fleet', ...args], environment, { script: 'scripts/imago.ts' });
  printed += finished.stdout + finished.stderr;
  return finished;
};

beforeAll(async () => {
  control = await freshDatabase({ migrated: false });
  members = await Promise.all([1, 2, 3].map(freshMember));
  environment = {
    FLEET_DATABASE_URL: control.url,
    ...Object.fromEntries(members.map(({ url }, i) => [`MEMBER_${i + 1}`, url])),
  };
});
afterAll(() => Promise.all([control, ...members].map((db) => db.drop())));

describe('a fleet of three', () => {
  test('is made, added to, looked at, migrated in waves and taken back, and no secret is anywhere', async () => {
    expect(await fleet('list')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('imago fleet init'),
    });
    expect(await fleet('init')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('The fleet is made'),
    });
    expect((await fleet('init', '--json')).json()).toMatchObject({ version: knownFleet, was_there: true });

    await fleet('add', 'acme', '--database-url-env', 'MEMBER_1', '--wave', 'canary', '--label', 'eu');
    const file = path.join(await projectFolder({}), 'members.csv');
    await writeFile(file, 'name,database_url_env,label\nbeta,MEMBER_2,"eu;gold"\n"gamma",MEMBER_3,\n');
    expect(await fleet('import', file)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('2 members added'),
    });
    const again = await fleet('import', file, '--json');
    expect(again.json()).toMatchObject({ exit_code: 2, error: { code: 'EXISTS' } });
    const list = (await fleet('list', '--json')).json();
    expect(list.members).toMatchObject([
      { name: 'acme', wave: 'canary', secret_kind: 'env', secret_name: 'MEMBER_1' },
      { name: 'beta', labels: ['eu', 'gold'], address: expect.stringMatching(/^127\.0\.0\.1:\d+\/test_/) },
      { name: 'gamma', labels: [] },
    ]);

    const preview = (await fleet('run', 'avatars', '--wave', 'canary,100%', '--dry-run', '--json')).json();
    expect(preview).toMatchObject({
      exit_code: 0,
      ready: 3,
      pending: 3 * USERS,
      waves: [{ members: ['acme'] }, { members: ['beta', 'gamma'] }],
    });
    expect((await fleet('status')).stderr).toContain('There is no rollout yet.');

    const run = (
      await fleet('run', 'avatars', '--wave', 'canary,100%', '--per-server', '2', '--workers', '1', '--json')
    ).json();
    expect(run).toMatchObject({
      exit_code: 0,
      message: 'All done.',
      progress: {
        state: 'succeeded',
        members: { succeeded: 3 },
        entities: { moved: 3 * USERS, remaining: 0 },
      },
    });
    expect(fleetProgress.parse(run.progress).waves.map(({ state }) => state)).toEqual(['passed', 'passed']);
    for (const db of members) expect(await counts(db)).toEqual({ moved: USERS, avatars: USERS, wrong: 0 });

    const { samples } = parseScrape((await fleet('status', '--prometheus')).stdout);
    expect(samples).toContainEqual({
      name: 'imago_fleet_members',
      labels: { rollout: String(run.progress.rollout), kind: 'migrate', plan: 'avatars', state: 'succeeded' },
      value: 3,
    });

    expect((await fleet('rollback', 'avatars', '--json')).json()).toMatchObject({
      exit_code: 2,
      error: { hint: expect.stringContaining('--yes') },
    });
    const back = (await fleet('rollback', 'avatars', '--member', 'beta', '--yes', '--json')).json();
    expect(back.progress).toMatchObject({ kind: 'rollback', state: 'succeeded', entities: { moved: USERS } });
    expect((await Promise.all(members.map(counts))).map(({ moved }) => moved)).toEqual([USERS, 0, USERS]);

    expect(await fleet('remove', 'gamma')).toMatchObject({ code: 0 });
    const doctor = (await fleet('doctor', '--json')).json();
    expect(doctor).toMatchObject({ exit_code: 0, members: 2, reachable: 2, findings: [] });

    // The password of all of these databases, and any login: in what was printed, and in what was stored.
    const { password } = new URL(control.url);
    expect(password.length).toBeGreaterThan(10);
    const stored = await control.sql<{ text: string }[]>`
      select query_to_xml(format('select * from %s', c.oid::regclass), true, true, '')::text as text
      from pg_class c where c.relnamespace in (select oid from pg_namespace where nspname like 'imago_fleet%') and c.relkind = 'r'`;
    const everything = printed + stored.map(({ text }) => text).join('\n');
    expect(everything).toContain('MEMBER_1');
    expect(everything).not.toContain(password);
    expect(everything).not.toMatch(/postgres(ql)?:\/\//);
  });

  test('is imported from the projects of an account; their keys are named and never asked for', async () => {
    const api = await startManagementApi();
    api.projects = ['abcdefghijklmnopqrst', 'bbcdefghijklmnopqrst'];
    try {
      const token = `sbp_${'0'.repeat(40)}`;
      Object.assign(environment, { SUPABASE_API_URL: api.url, SUPABASE_ACCESS_TOKEN: token });
      await fleet('init');
      const imported = await fleet(
        'import',
        '--from-projects',
        '--key-env-of',
        'KEY_{ref}',
        '--label',
        'hosted',
        '--json',
      );
      expect(imported.json()).toMatchObject({ exit_code: 0, added: 2 });
      expect(api.tokens).toEqual(new Set([token]));
      const { members: listed } = (await fleet('list', '--label', 'hosted', '--json')).json();
      expect(listed[0]).toMatchObject({
        kind: 'project',
        url: 'https://abcdefghijklmnopqrst.supabase.co',
        secret_name: 'KEY_abcdefghijklmnopqrst',
      });
      expect(printed).not.toContain(token);
    } finally {
      await api.close();
    }
  });
});
