/** `npm run db` as a process: its answers, what it asks and which databases it refuses. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { readDbEnvironment } from '../../scripts/db/environment.ts';
import { parseOptions } from '../../scripts/db/options.ts';
import { chooseTarget, describe as describeTarget } from '../../scripts/db/target.ts';
import { runCommand } from '../support/command.ts';
import { removeEmbedded } from '../support/embedded.ts';
import { current, started, V2 } from '../support/versions.ts';

describe('npm run db', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'imago-db-command-'));
  });
  afterAll(() => removeEmbedded(folder));
  const run = (args: string[], environment: Record<string, string> = {}) =>
    runCommand(
      ['db', ...args],
      { IMAGO_FOLDER: folder, ...environment },
      { script: 'scripts/imago.ts', cwd: folder },
    );

  test('on the embedded database: init, migrate, upgrade, check, downgrade, reset, each with one JSON object', async () => {
    const project = path.join(folder, 'project');
    const at = (...args: string[]) => run([...args, '--workdir', project, '--json']);
    await mkdir(project);
    expect((await at('status')).json()).toMatchObject({
      status: 'usage',
      exit_code: 2,
      error: { code: 'no-project' },
    });
    const made = await at('init');
    expect({ code: made.code, made: made.json().made }).toEqual({
      code: 0,
      made: ['supabase/config.toml', 'supabase/migrations/', 'supabase/ways-back/', 'supabase/schemas/'],
    });
    await writeFile(
      path.join(project, 'supabase/schemas/a.sql'),
      'create table public.a (id int primary key);',
    );
    expect((await at('migrate', 'first')).json()).toMatchObject({ status: 'done', exit_code: 0 });
    expect((await at('upgrade')).json()).toMatchObject({ status: 'done' });
    // One waits for the other.
    expect((await Promise.all([at('check'), at('status')])).map(({ code }) => code)).toEqual([0, 0]);
    expect((await at('downgrade', '-1')).json()).toMatchObject({
      taken_back: [expect.any(String)],
      current: null,
    });
    expect((await at('reset')).code).toBe(2);
    expect((await at('reset', '--yes')).json()).toMatchObject({
      status: 'done',
      applied: [expect.any(String)],
    });
    // By the name that it has on every hosted project.
    const said = `comment on database postgres is 'mine'`;
    await writeFile(path.join(project, 'supabase/schemas/b.sql'), said);
    await writeFile(path.join(project, 'supabase/migrations/29990101000000_said.sql'), said);
    expect((await at('upgrade')).json()).toMatchObject({ applied: ['29990101000000'] });
    expect((await at('check')).json()).toMatchObject({ exit_code: 0 });
  });

  test('asks before it changes a database that is not the embedded one, and says where it works', async () => {
    const project = await started('create table public.u (id int);');
    const at = (...args: string[]) =>
      run([...args, '--workdir', project.folder], { DATABASE_URL: project.db.url });
    const { code, stderr, stdout } = await at('upgrade');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--yes');
    expect(stderr).toContain(`Target: ${project.db.name} at 127.0.0.1`);
    expect(stderr).not.toContain(new URL(project.db.url).password);
    expect((await at('reset', '--yes')).stderr).toContain('wants the name of the database typed');
    expect((await at('reset', '--confirm', 'postgres')).code).toBe(2);
    expect(await project.sql`select count(*)::int from t`).toEqual([{ count: 10 }]);
    expect((await at('reset', '--confirm', project.db.name)).code).toBe(0);
    expect(await project.sql`select count(*)::int from t`).toEqual([{ count: 0 }]);
    expect(await current(project)).toBe(V2);
  });

  test.each([
    [['nonsense']],
    [[]],
    [['migrate']],
    [['upgrade', '--lock-timeout', '0']],
    [['migrate', 'x', '--rename', 'nothing']],
    [['status', 'extra']],
  ])('%j is refused as wrong usage', (args) => {
    expect(() => parseOptions(args, 'imago db')).toThrow(UsageError);
  });

  test('refuses targets that cannot work: an API without a database, the transaction pooler, a project that is not linked', () => {
    const choose =
      (environment: Record<string, string>, linked = false) =>
      () =>
        chooseTarget(folder, { linked }, readDbEnvironment(folder, environment));
    expect(choose({ SUPABASE_URL: 'https://x.supabase.co' })).toThrow(
      expect.objectContaining({ code: 'no-target' }),
    );
    expect(choose({ DATABASE_URL: 'postgresql://u:p@h:6543/postgres' })).toThrow('6543');
    expect(choose({ DATABASE_URL: 'nonsense' })).toThrow('not a URL');
    expect(choose({}, true)).toThrow('No project is linked');
    expect(choose({ DATABASE_URL: '' })).toThrow('DATABASE_URL is set, but empty');
    expect(choose({})()).toEqual({ kind: 'embedded', of: 'project' });
    expect(describeTarget(choose({ DATABASE_URL: 'postgresql://u:secret@h:5432/db' })())).toBe(
      'db at h:5432',
    );
  });

  test('never resets what is not on this machine', async () => {
    const project = await started();
    const { stderr, code } = await run(
      ['reset', '--yes', '--confirm', 'postgres', '--workdir', project.folder],
      {
        DATABASE_URL: 'postgresql://u:p@db.example.com:5432/postgres',
      },
    );
    expect({ code, said: stderr.includes('is not this machine') }).toEqual({ code: 2, said: true });
  });
});
