/** The story of examples/gig-service: from dropping its tables at every start to versions, not one row lost. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startService } from '../../examples/gig-service/service.ts';
import { rowsOf, versionedProject } from '../support/versions.ts';

const example = fileURLToPath(new URL('../../examples/gig-service/', import.meta.url));
const read = (file: string) => readFile(path.join(example, file), 'utf8');
const model = 'schemas/freelancers.sql';

test('npm run db on an app with data: adopt, add a field, upgrade, downgrade and upgrade lose no row', async () => {
  const project = await versionedProject();
  const { sql, run } = project;
  const rows = () => rowsOf(sql, 'freelancers', 'gigs');
  const without = (rowsWith: Record<string, string[]>) =>
    Object.values(rowsWith).map((list) =>
      list.map((row) => ({ ...JSON.parse(row), certifications: undefined })),
    );

  // As it was: tables without versions, full of data.
  await sql.unsafe(await read('old-start.sql'));
  await sql.unsafe(`
    insert into freelancers (name, languages) select 'freelancer ' || i, array['de', 'en', 'l' || i] from generate_series(1, 200) i;
    insert into gigs (freelancer_id, title, price, state) select id, 'gig "' || id || '"', id / 3.0, 'published' from freelancers;
    delete from gigs where id % 7 = 0`);
  const original = await rows();

  const now = await read(`supabase/${model}`);
  await project.write({
    [model]: now.replace(/^ {2}certifications .*\n/m, ''),
    'schemas/gigs.sql': await read('supabase/schemas/gigs.sql'),
  });
  expect((await run('init')).data).toMatchObject({
    files: [expect.stringMatching(/_baseline\.sql$/)],
    missed: [],
  });
  expect(await project.list()).toMatchObject([{ local: true, remote: true }]);
  expect(await run('check')).toMatchObject({ status: 'done' });
  expect(await rows()).toEqual(original);
  await expect(startService(project.db.url)).rejects.toThrow('imago db upgrade');

  await project.write({ [model]: now });
  await run('migrate', 'Add certifications');
  expect(await project.list()).toMatchObject([{ remote: true }, { local: true, remote: false }]);
  await run('upgrade');
  expect(await project.list()).toMatchObject([{ remote: true }, { remote: true }]);
  expect(await run('check')).toMatchObject({ status: 'done' });

  // Two starts, and what was written in the first is there in the second.
  const first = await startService(project.db.url);
  const post = await fetch(`${first.url}/freelancers`, {
    method: 'POST',
    body: JSON.stringify({ name: 'new', languages: ['fr'], certifications: ['a, "b"', 'c'] }),
  });
  expect(post.status).toBe(201);
  await first.stop();
  const second = await startService(project.db.url);
  onTestFinished(second.stop);
  const served = await (await fetch(`${second.url}/freelancers`)).json();
  expect(served).toHaveLength(201);
  expect(served).toContainEqual(expect.objectContaining({ name: 'new', certifications: ['a, "b"', 'c'] }));
  await sql`update freelancers set certifications = languages || array['certified ' || id] where id % 2 = 0`;
  const full = await rows();

  await run('downgrade');
  expect(await project.list()).toMatchObject([{ remote: true }, { remote: false }]);
  expect(without(await rows())).toEqual(without(full));
  await run('upgrade');
  expect(await project.list()).toMatchObject([{ remote: true }, { remote: true }]);
  expect(await rows()).toEqual(full);
  expect(await run('check')).toMatchObject({ status: 'done' });

  // The versions that come with the example are these, whenever they were written.
  for (const folder of ['migrations', 'ways-back'] as const) {
    const files = await readdir(path.join(example, 'supabase', folder));
    const texts = (names: string[], from: (name: string) => Promise<string>) =>
      Promise.all(names.toSorted().map(from));
    expect(await texts(files, (name) => read(`supabase/${folder}/${name}`))).toEqual(
      await texts(await project.files(folder), (name) => project.read(`${folder}/${name}`)),
    );
  }
});
