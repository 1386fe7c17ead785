/** `db … --linked`: the project that `supabase link` has linked, through its pooler, the real CLI on the other side. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { diffDatabases } from '../../scripts/db/diff.ts';
import { chooseTarget, describe as describeTarget } from '../../scripts/db/target.ts';
import { freshDatabase } from '../support/database.ts';
import { linkedProject, REF } from '../support/linked.ts';

/** With what must be escaped in a URL and in a password file. */
const PASSWORD = 'p@ss:w\\rd/ 1%';

// Elsewhere 127.0.0.1 is the only address of the machine, and the CLI's pooler is a domain on port 5432.
test.skipIf(process.platform !== 'linux')(
  'npm run db on a linked project names it first, as the CLI does; the password is in no output or command line',
  async () => {
    const project = await linkedProject();
    const { dbLinked, cli, sql, host } = project;
    const target = `Target: the linked project ${REF}, ${project.db.name} at ${host}:5432`;
    const said: string[] = [];
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await dbLinked([...args, '--json']);
      said.push(stdout, stderr);
      expect(stderr.split('\n')[0], args.join(' ')).toBe(target);
      return { code, data: JSON.parse(stdout) };
    };
    /** What the CLI has applied on the project that it has linked itself. */
    const listed = async () => {
      const { code, output } = await cli('migration', 'list', '--remote', '--output-format', 'json');
      expect(code, output).toBe(0);
      const { migrations } = JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1));
      return migrations
        .filter(({ remote }: { remote: string }) => remote)
        .map(({ remote }: { remote: string }) => remote);
    };

    await sql.unsafe('create table public.kept (id int primary key); insert into kept values (1)');
    const adopted = await run('init', '--yes');
    expect(adopted.data, JSON.stringify(adopted.data)).toMatchObject({ status: 'done', missed: [] });
    const [baseline] = await listed();
    await project.version(
      '29990101000000',
      'create table public.t (id int primary key, a text);',
      'drop table public.t;',
    );
    expect((await run('status')).data).toMatchObject({ current: baseline, pending: ['29990101000000'] });
    expect((await run('upgrade')).data).toMatchObject({ status: 'usage', exit_code: 2 });
    expect((await run('upgrade', '--yes')).data).toMatchObject({ applied: ['29990101000000'] });
    expect(await listed()).toEqual([baseline, '29990101000000']);
    await sql`insert into t values (1, 'kept')`;
    expect((await run('check')).data).toMatchObject({ exit_code: 3, drift: [{ object: 'table public.t' }] });
    expect((await run('downgrade', '--yes')).data).toMatchObject({ moved_aside: [{ rows: 1 }] });
    expect(await listed()).toEqual([baseline]);
    expect((await run('stamp', '0', '--yes')).data).toMatchObject({ current: null });
    expect(await listed()).toEqual([]);
    expect((await run('stamp', String(baseline), '--yes')).data).toMatchObject({ current: baseline });
    expect((await run('upgrade', '--yes')).data).toMatchObject({ put_back: [{ rows: 1 }] });
    expect((await run('history')).data.versions).toMatchObject([{ applied: true }, { applied: true }]);
    const reset = await run('reset', '--yes', '--confirm', project.db.name);
    expect(reset.data).toMatchObject({ exit_code: 2, error: { code: 'reset-refused' } });
    expect(await sql`select a from t`).toEqual([{ a: 'kept' }]);

    const lines = await project.commandLines();
    expect(lines).toContain(`db diff --from`);
    expect([...said, lines].join('\n')).not.toContain(inject('cluster').password);
    const wrong = await dbLinked(['status', '--json'], { SUPABASE_DB_PASSWORD: 'wrong' });
    expect(wrong.json()).toMatchObject({ exit_code: 1, error: { code: 'unreachable' } });
  },
);

test('npm run db --linked: what link has left decides between the pooler, the database and a refusal with a remedy', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-link-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, 'supabase/.temp'), { recursive: true });
  const leave = (name: string, text: string) => writeFile(path.join(folder, 'supabase/.temp', name), text);
  const choose = (password: string | undefined = PASSWORD) =>
    chooseTarget(
      folder,
      { linked: true },
      { DATABASE_URL: 'postgresql://elsewhere/x', SUPABASE_DB_PASSWORD: password },
    );

  expect(() => choose()).toThrow('No project is linked');
  await leave('project-ref', `${REF}\n`);
  expect(() => chooseTarget(folder, { linked: true }, {})).toThrow('SUPABASE_DB_PASSWORD');
  expect(describeTarget(choose())).toBe(`the linked project ${REF}, postgres at db.${REF}.supabase.co:5432`);
  await leave(
    'pooler-url',
    `postgresql://postgres.${REF}:[YOUR-PASSWORD]@eu.pooler.supabase.com:6543/postgres`,
  );
  const target = choose();
  expect(target).toMatchObject({ kind: 'database', linked: REF });
  const url = new URL((target as { url: string }).url);
  expect([decodeURIComponent(url.password), url.port, url.search]).toEqual([
    PASSWORD,
    '5432',
    '?sslmode=verify-full',
  ]);
  await leave(
    'pooler-url',
    'postgresql://postgres.zyxwvutsrqponmlkjihg@eu.pooler.supabase.com:5432/postgres',
  );
  expect(() => choose()).toThrow('that of another project');
  await leave('pooler-url', 'nonsense');
  expect(() => choose()).toThrow('not an address');
});

test('npm run db --linked: a password may have any character that a URL can carry', async () => {
  const db = await freshDatabase({ migrated: false });
  onTestFinished(() => db.drop());
  const role = `${db.name}_role`;
  await db.sql.unsafe(`create role "${role}" login password '${PASSWORD}'`);
  onTestFinished(async () => {
    await db.sql.unsafe(`drop role "${role}"`);
  });
  const url = new URL(db.url);
  url.username = role;
  url.password = encodeURIComponent(PASSWORD);
  expect(await diffDatabases(url.href, url.href)).toEqual([]);
  url.password = 'wrong';
  await expect(diffDatabases(url.href, url.href)).rejects.toMatchObject({ code: 'diff-fails' });
});
