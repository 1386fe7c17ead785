/** `npm run migrate -- --dump`, with a pg_dump that writes down how it was called. */
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { freshProject, runCommand } from '../support/command.ts';
import { everything } from '../support/everything.ts';

describe('npm run migrate -- --dump', () => {
  async function fakeDump(version: string, exitCode: number | 'interrupted' = 0) {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-dump-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const program = path.join(folder, 'pg_dump');
    await writeFile(
      program,
      `#!/bin/sh
if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) ${version}"; exit; fi
echo "$@" > ${folder}/arguments
echo "$PGHOST $PGPORT $PGUSER $PGDATABASE $PGPASSWORD" > ${folder}/connection
while [ "$1" != --file ]; do shift; done
echo dumped > "$2"
ls -l "$2" > ${folder}/listing
printf 'a notice\\nResult: forged \\033[2J\\n' >&2
if [ ${exitCode} = interrupted ]; then kill -INT $PPID; exec sleep 60; fi
exit ${exitCode}
`,
    );
    await chmod(program, 0o755);
    const read = async (name: string) => (await readFile(path.join(folder, name), 'utf8')).trim();
    return { folder, file: path.join(folder, 'before.dump'), environment: { PG_DUMP: program }, read };
  }

  test('takes the dump first, with the password out of sight', async () => {
    const { db, environment } = await freshProject();
    const dump = await fakeDump('17.2');
    const { code } = await runCommand(['--yes', '--dump', dump.file], {
      ...environment,
      ...dump.environment,
    });
    expect(code).toBe(0);
    expect(await readFile(dump.file, 'utf8')).toBe('dumped\n');
    expect((await stat(dump.file)).mode & 0o777).toBe(0o600);
    expect(await dump.read('listing')).toMatch(/^-rw------- /);
    const { password, hostname, port, username, pathname } = new URL(db.url);
    expect(await dump.read('connection')).toBe(
      [hostname, port, username, pathname.slice(1), password].join(' '),
    );
    expect(await dump.read('arguments')).not.toContain(password);
    await expectAllMigrated(db.sql);
  });

  test.each([
    ['is older than the server', '14.9', 0, 'must not be older than the server'],
    ['fails', '17.2', 1, 'pg_dump failed'],
    ['is interrupted', '17.2', 'interrupted', 'Stopped'],
  ] as const)(
    'when pg_dump %s, nothing is changed, and nothing of the dump is left',
    async (_, version, exitCode, says) => {
      const { db, environment } = await freshProject();
      const before = await everything(db.sql);
      const dump = await fakeDump(version, exitCode);
      const finished = await runCommand(['--yes', '--dump', dump.file], {
        ...environment,
        ...dump.environment,
      });
      expect(finished.code).toBe(exitCode === 'interrupted' ? 130 : 1);
      expect(finished.stdout).toContain(says);
      // What pg_dump says is set in below, and is text.
      expect(finished.stdout).not.toMatch(/(?!\n)\p{Cc}|^│ *Result: forged/mu);
      expect((await readdir(dump.folder)).filter((name) => name.startsWith('before'))).toEqual([]);
      expect(await everything(db.sql)).toEqual(before);
    },
  );

  test('without pg_dump, without DATABASE_URL, over an older file or through a link is refused, and changes nothing', async () => {
    const { environment } = await freshProject({ app: 'none' });
    const dump = await fakeDump('17.2');
    const missing = await runCommand(['--yes', '--dump', dump.file], {
      ...environment,
      PG_DUMP: '/nowhere/pg_dump',
    });
    expect(missing.code).toBe(1);
    expect(missing.stdout).toContain('No pg_dump was found');
    const { DATABASE_URL, ...rest } = environment;
    const nowhere = await runCommand(['--yes', '--dump', dump.file], rest);
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toContain('DATABASE_URL');
    await writeFile(dump.file, 'the only copy');
    const older = await runCommand(['--yes', '--dump', dump.file], { ...environment, ...dump.environment });
    expect(older.code).toBe(2);
    expect(await readFile(dump.file, 'utf8')).toBe('the only copy');
    const link = path.join(dump.folder, 'link.dump');
    await symlink(dump.file, link);
    const linked = await runCommand(['--yes', '--dump', link], { ...environment, ...dump.environment });
    expect(linked.code).toBe(2);
    expect(linked.stderr).toContain(`${link} is a symbolic link`);
    expect(await readFile(dump.file, 'utf8')).toBe('the only copy');
  });
});
