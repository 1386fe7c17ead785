/** `db init`: sets up a project, and adopts a database that was made without migrations. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Sql } from 'postgres';
import { runCli } from '../supabase-cli.ts';
import { type Baseline, writeBaseline } from './baseline.ts';
import { type Catalog, compareCatalogs, DATABASE, readCatalog, withoutOwnSettings } from './catalog.ts';
import type { Context, Ending } from './context.ts';
import { addToHistory, ensureHistory, readHistory } from './history.ts';
import { buildModels } from './migrate.ts';
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
  if (project.versions.length > 0) return await writeModels(context, project, lines, data);
  const { sql, url } = await context.connect();
  if ((await readHistory(sql)).length > 0) {
    throw new Problem(
      'has-versions',
      'The database has versions in its history, and supabase/migrations/ has none.',
      'Get their files from the history: npx supabase migration fetch',
    );
  }
  const shadow = await Shadow.create(await context.shadows());
  try {
    const empty = await shadow.catalog();
    const { catalog: database, left: settings } = withoutOwnSettings(await readCatalog(sql), empty);
    if (compareCatalogs(empty, database).length === 0) {
      const next = [`Write models into ${folders.models}/, then: ${context.program} migrate "message"`];
      return { status: 'done', message: 'The project is set up; the database is empty.', lines, next, data };
    }
    await context.confirm('Write a baseline of what is in the database, and mark it as applied?');
    // First, as this is what the role may not be allowed to do.
    await ensureHistory(sql);
    const baseline = await writeBaseline(shadow, { url, catalog: database });
    const files = await adopt(project, sql, baseline);
    const left = await platformParts(sql, database);
    return {
      status: 'done',
      message: `The database is adopted: its baseline is marked as applied. Nothing in it was changed.`,
      lines: [
        ...lines,
        ...files.map((file) => `Wrote ${file}`),
        ...baseline.missed.map((object) => `Not in the baseline: ${object}`),
        ...settings.map((setting) => `Left out, as it may be a secret: ${DATABASE} (${setting})`),
        `Left out, as the platform makes it: ${left.join(', ')}.`,
      ],
      next: [`Change a model, then: ${context.program} migrate "message"`],
      data: { ...data, files, missed: baseline.missed, platform: left, settings },
    };
  } finally {
    await shadow.drop();
  }
}

/** Writes the baseline, and the models where there are none, and marks it. */
async function adopt(project: Project, sql: Sql, { text, hasFunctions }: Baseline): Promise<string[]> {
  const head = [
    '-- What was in the database before it had versions.',
    ...(hasFunctions ? ['set local check_function_bodies = off;'] : []),
  ];
  const up = `${[...head, text].join('\n\n')}\n`;
  const files = await writeVersion(project.folder, nextVersion([]), 'baseline', { up, down: undefined });
  if (project.models.length === 0) {
    await writeNew(project.folder, modelsFile, `${text}\n`);
    files.push(modelsFile);
  }
  const [baseline] = (await readProject(project.folder)).versions;
  if (!baseline) throw new Error('the baseline was not written');
  await addToHistory(sql, baseline);
  return files;
}

/** Writes models from the versions of a project that has none. */
async function writeModels(
  context: Context,
  project: Project,
  lines: string[],
  data: { made: string[]; files: string[] },
): Promise<Ending> {
  if (project.models.length > 0 || project.versions.every(({ imago }) => imago)) {
    return { status: 'done', message: 'The project is set up; it has versions already.', lines, data };
  }
  const shadows = await context.shadows();
  const [migrated, modelled] = [await Shadow.create(shadows), await Shadow.create(shadows)];
  try {
    await migrated.apply(project.versions);
    await buildModels(modelled, project);
    const catalog = await migrated.catalog();
    await migrated.rest();
    const { text, missed } = await writeBaseline(modelled, { url: migrated.url, catalog });
    await writeNew(project.folder, modelsFile, `${text}\n`);
    return {
      status: 'done',
      message: 'The project is set up; its models say what its versions say.',
      lines: [...lines, `Wrote ${modelsFile}`, ...missed.map((object) => `Not in the models: ${object}`)],
      next: [`Change a model, then: ${context.program} migrate "message"`],
      data: { ...data, files: [modelsFile], missed },
    };
  } finally {
    await migrated.drop();
    await modelled.drop();
  }
}

/** What is in a database and in no version, as the platform makes it. */
async function platformParts(sql: Sql, catalog: Catalog): Promise<string[]> {
  const parts = await sql<{ name: string }[]>`
    select 'schema ' || quote_ident(nspname) as name from pg_namespace
    where nspname !~ '^(pg_|imago)' and nspname not in ('public', 'information_schema')
    union all
    select 'event trigger ' || quote_ident(evtname) from pg_event_trigger
    union all
    select 'publication ' || quote_ident(pubname) from pg_publication
    order by name`;
  const names = parts.map(({ name }) => name).filter((name) => !catalog.has(name));
  // Rows, though many write them by migrations.
  const [{ jobs }] = await sql<[{ jobs: string | null }]>`select to_regclass('cron.job')::text as jobs`;
  return jobs === null ? names : [...names, 'jobs of pg_cron'];
}
