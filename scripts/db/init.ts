/** `db init`: sets up a project, and adopts a database that was made without migrations. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { runCli } from '../supabase-cli.ts';
import { compareCatalogs, essential, readCatalog } from './catalog.ts';
import type { Context, Ending } from './context.ts';
import { diffDatabases } from './diff.ts';
import { addToHistory, ensureHistory, readHistory } from './history.ts';
import { Problem } from './problem.ts';
import { folders, nextVersion, type Project, readProject, writeNew, writeVersion } from './project.ts';
import { Shadow } from './shadow.ts';

/** The models' file of a database that had none. */
const modelsFile = path.join(folders.models, 'baseline.sql');

/** Makes what a project needs, before anything else can be asked of it; gives what was made. */
async function makeProject(folder: string): Promise<string[]> {
  const made: string[] = [];
  if (!existsSync(path.join(folder, 'supabase', 'config.toml'))) {
    const { code, output } = await runCli(folder, ['init', '--yes']);
    if (code !== 0) throw new Error(`supabase init failed:\n${output}`);
    made.push('supabase/config.toml');
  }
  for (const name of Object.values(folders)) {
    if (existsSync(path.join(folder, name))) continue;
    await mkdir(path.join(folder, name), { recursive: true });
    made.push(`${name}/`);
  }
  return made;
}

export async function init(context: Context): Promise<Ending> {
  const made = await makeProject(context.folder);
  const project = await readProject(context.folder);
  const lines = made.map((name) => `Made ${name}`);
  const data = { made, files: [] as string[] };
  if (project.versions.length > 0) {
    return { status: 'done', message: 'The project is set up; it has versions already.', lines, data };
  }
  const { sql } = await context.connect();
  if ((await readHistory(sql)).length > 0) {
    throw new Problem(
      'has-versions',
      'The database has versions in its history, and supabase/migrations/ has none.',
      'Get their files from the history: npx supabase migration fetch',
    );
  }
  const shadow = await Shadow.create(await context.shadows());
  try {
    const before = await shadow.catalog();
    const database = await readCatalog(sql);
    if (compareCatalogs(before, database).length === 0) {
      const next = [`Write models into ${folders.models}/, then: ${context.program} migrate "message"`];
      return { status: 'done', message: 'The project is set up; the database is empty.', lines, next, data };
    }
    await context.confirm('Write a baseline of what is in the database, and mark it as applied?');
    const files = await adopt(context, project, shadow);
    const missed = essential(compareCatalogs(database, await shadow.catalog())).map(({ object }) => object);
    const warnings = missed.map((object) => `Not in the baseline: ${object}`);
    return {
      status: 'done',
      message: `The database is adopted: its baseline is marked as applied. Nothing in it was changed.`,
      lines: [...lines, ...files.map((file) => `Wrote ${file}`), ...warnings],
      next: [`Change a model, then: ${context.program} migrate "message"`],
      data: { ...data, files, missed },
    };
  } finally {
    await shadow.drop();
  }
}

/** Writes the baseline, and the models where there are none, proves it on the shadow, and marks it. */
async function adopt(context: Context, project: Project, shadow: Shadow): Promise<string[]> {
  const { sql, url } = await context.connect();
  // First, as this is what the role may not be allowed to do.
  await ensureHistory(sql);
  await shadow.rest();
  const statements = await diffDatabases(shadow.url, url);
  const body = statements.map(({ text }) => `${text};`).join('\n\n');
  const text = `-- What was in the database before it had versions.\n\n${body}\n`;
  await shadow.run({ file: 'the baseline', text });
  const version = nextVersion([]);
  const files = await writeVersion(project.folder, version, 'baseline', { up: text, down: undefined });
  if (project.models.length === 0) {
    await writeNew(project.folder, modelsFile, `${body}\n`);
    files.push(modelsFile);
  }
  const [baseline] = (await readProject(project.folder)).versions;
  if (!baseline) throw new Error('the baseline was not written');
  await addToHistory(sql, baseline);
  return files;
}
