import { expect, test } from 'vitest';
import { tricky } from '../support/statements.ts';
import { cliPush, versionedProject } from '../support/versions.ts';

test('statements have the same checksum in the file and in the history of the CLI, however that splits them', async () => {
  const project = await versionedProject();
  await project.version('20260101000000', tricky);
  await cliPush(project);
  expect((await project.run('status')).data).toMatchObject({ applied: ['20260101000000'], edited: [] });
  await project.version('20260101000000', tricky.replace('return 1', 'return 2'));
  expect((await project.run('status')).data).toMatchObject({ edited: ['20260101000000'] });
});
