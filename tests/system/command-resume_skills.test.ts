import type { Sql } from 'postgres';
import { expect, test } from 'vitest';
import { freshProject, runCommand } from '../support/command.ts';
import { createApp } from '../support/conformance/app.ts';
import fixture from '../support/conformance/resume_skills.ts';

const DEFAULT = '[{"name": "Unspecified", "level": "beginner"}]';

async function skills(sql: Sql): Promise<(string | null)[]> {
  const rows = await sql<{ skills: string | null }[]>`select distinct skills::text from public.users`;
  return rows.map((row) => row.skills);
}

test('the command migrates an app with the plan resume_skills and takes it back, and does not speak of avatars', async () => {
  const project = await freshProject({ app: 'none' });
  await createApp(project.db.sql, fixture.app, 40);
  const { environment } = project;
  const forward = await runCommand(['--plan', 'resume_skills', '--yes', '--json'], environment);
  expect(forward).toMatchObject({ code: 0 });
  expect(await skills(project.db.sql)).toEqual([DEFAULT]);
  const back = await runCommand(['--plan', 'resume_skills', '--rollback', '--yes'], environment);
  expect(back).toMatchObject({ code: 0 });
  expect(back.stdout).not.toContain('avatars');
  expect(await skills(project.db.sql)).toEqual([null]);
});
