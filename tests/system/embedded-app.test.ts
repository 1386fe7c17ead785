import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { removeCluster } from '../../scripts/embedded/cluster.ts';
import { ensureEmbedded } from '../../scripts/embedded/supabase.ts';
import { runCommand, startCommand } from '../support/command.ts';

/** The embedded Supabase with the app of another plan in it, instead of the sample app. */

const app = fileURLToPath(new URL('../support/resume_skills.sql', import.meta.url));

test('--app makes that app, once, and never over another one; a plan that it is not for is refused', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-app-'));
  onTestFinished(async () => {
    await removeCluster(path.join(folder, 'postgres'));
    await rm(folder, { recursive: true, force: true });
  });
  const local = startCommand(
    ['--app', app, '--sample', '33'],
    { IMAGO_FOLDER: folder },
    { script: 'scripts/local.ts' },
  );
  onTestFinished(() => void local.child.kill('SIGKILL'));
  await local.says('The embedded Supabase is running.');

  await local.says('npm run migrate -- --plan resume_skills');
  await local.says("select public.get_detailed_migration_progress('resume_skills');");

  const embedded = await ensureEmbedded({ folder });
  const sql = postgres(embedded.databaseUrl, { max: 1 });
  const [row] = await sql`
    select (select count(*)::int from public.users) as users, to_regclass('public.posts') as posts`;
  expect(row).toEqual({ users: 30, posts: null });
  await sql.end();
  await expect(ensureEmbedded({ folder, app })).rejects.toThrow(
    'The embedded database holds an app already. To have that of resume_skills.sql instead, add --reset',
  );
  await embedded.release();
  local.child.kill('SIGTERM');
  expect(await local.finished).toMatchObject({ code: 0 });

  // A command that started it for itself asks nothing of it after it has let go of it.
  const other = await runCommand(['--plan', 'profile_gigs'], { IMAGO_FOLDER: folder });
  expect(other).toMatchObject({ code: 1, stdout: expect.stringContaining('IM006') });
  expect(other.stderr).not.toMatch(/trying again|could not be read/);
});

test('--app with a file that is not there is refused', async () => {
  const local = startCommand(['--app', 'nothing.sql'], {}, { script: 'scripts/local.ts' });
  expect(await local.finished).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('It must be a file of SQL'),
  });
});
