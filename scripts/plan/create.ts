/** Writes a new plan into the project: all of its files, or none. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { Sql } from 'postgres';
import { UsageError } from '../command/usage.ts';
import { joinSources, manifestFile, migrationFile, readManifest, root } from '../manifest.ts';
import { columnProblem, nameProblem } from './plan-name.ts';
import { unfilled } from './sample.ts';
import { plainName, readSource, tableName } from './source.ts';
import { type Draft, type Files, manifestEntries, planFiles, testFiles } from './template.ts';

/** What a new plan is made from, as typed. */
export interface Wish {
  plan: string;
  source: string;
  key: string;
  column: string | undefined;
}

/** A plan that is written. */
export interface Created {
  /** Paths from the root. */
  files: string[];
  /** Columns of the sample app that a person has to fill. */
  unfilled: string[];
}

/** Refuses names that no plan can have, before any database is reached. */
export function checkNames({ plan, source, key, column }: Wish): void {
  tableName(source);
  for (const [option, name] of Object.entries({ key, column })) {
    if (name !== undefined && !plainName.test(name)) {
      throw new UsageError(
        `--${option}: ${name} is not a plain name.`,
        'Letters, digits, blanks, hyphens and underscores; no quotes.',
      );
    }
  }
  const problem = nameProblem(plan);
  if (problem !== undefined) {
    throw new UsageError(
      `${plan} cannot be the name of a plan. ${problem}`,
      `Take another name, like ${suggestion(plan)}.`,
    );
  }
  const ofColumn = columnProblem(column ?? plan);
  if (ofColumn !== undefined) {
    throw new UsageError(
      `${column} cannot be the name of a column. ${ofColumn}`,
      'Name another one with --column.',
    );
  }
  const there = sameFile(join(root, 'sql/plans', plan));
  if (there !== undefined) {
    throw new UsageError(
      `There is a plan ${there} already: sql/plans/${there}/.`,
      'Remove it first, or take another name.',
    );
  }
  const entry = Object.keys(readManifest()).find((name) => name.endsWith(`_imago_plan_${plan}`));
  if (entry)
    throw new UsageError(`sql/manifest.json has ${entry} already.`, 'Remove it first, or take another name.');
}

/** A name that can be had, made from one that cannot. */
function suggestion(plan: string): string {
  const plain = plan
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replace(/^(pg_|[^a-z])+/, '')
    .slice(0, 30);
  return `my_${plain.replace(/_+$/, '') || 'plan'}`;
}

/** What stands at this path, or would on a system that does not tell capitals from small letters. */
function sameFile(file: string): string | undefined {
  const folder = dirname(file);
  if (!existsSync(folder)) return undefined;
  const wanted = basename(file).toLowerCase();
  return readdirSync(folder).find((name) => name.toLowerCase() === wanted);
}

/** Looks at the table, and writes the plan. */
export async function createPlan(sql: Sql, wish: Wish): Promise<Created> {
  const draft = await draftPlan(sql, wish);
  const sources = planFiles(draft);
  const migration = nextMigration(wish.plan);
  const files: Files = {
    ...sources,
    [relative(root, migrationFile(migration))]: joinSources(
      Object.entries(sources).map(([file, text]) => [file.replace(/^sql\//, ''), text]),
    ),
    ...testFiles(draft),
  };
  const there = Object.keys(files).flatMap((file) => {
    const name = sameFile(join(root, file));
    return name === undefined ? [] : [join(dirname(file), name)];
  });
  if (there.length > 0) {
    throw new UsageError(
      `These files are there already: ${there.join(', ')}.`,
      'Remove them first, or take another name.',
    );
  }
  writeAll(files, () => addToManifest(migration, wish.plan));
  return { files: [...Object.keys(files), relative(root, manifestFile)], unfilled: unfilled(draft.source) };
}

/** Reads the table and refuses names that the database has already. */
export async function draftPlan(sql: Sql, wish: Wish): Promise<Draft> {
  const source = await readSource(sql, wish.source, wish.key);
  const name = wish.column ?? wish.plan;
  const [taken] = await sql<{ schema: boolean; column: string }[]>`
    select to_regnamespace(${wish.plan}) is not null as schema, quote_ident(${name}) as column`;
  if (taken?.schema)
    throw new UsageError(`The database has a schema ${wish.plan} already.`, 'Take another name.');
  if (source.columns.some((column) => column.name === name)) {
    throw new UsageError(
      `${wish.source} has a column ${name} already.`,
      `The new plan adds a column and fills it: name another one with --column.`,
    );
  }
  return { plan: wish.plan, source, column: { name, quoted: taken?.column ?? name } };
}

/** After all others, so that the CLI takes it as the newest. */
function nextMigration(plan: string): string {
  const last = Object.keys(readManifest()).map((name) => Number(name.slice(0, 14)));
  const now = Number(new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14));
  return `${Math.max(now, ...last.map((version) => version + 1))}_imago_plan_${plan}`;
}

function addToManifest(migration: string, plan: string): void {
  const manifest = { ...readManifest(), [migration]: manifestEntries(plan) };
  // Renamed, so that a reader sees either the old one or the new one.
  const temporary = `${manifestFile}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(manifest, null, 2)}\n`);
  renameSync(temporary, manifestFile);
}

/** Writes new files and then does the last thing; when something fails, nothing is left. */
function writeAll(files: Files, last: () => void): void {
  const made: string[] = [];
  try {
    for (const [file, text] of Object.entries(files)) {
      const path = join(root, file);
      const folder = mkdirSync(dirname(path), { recursive: true });
      if (folder) made.push(folder);
      // Somebody else's file is not ours to remove.
      const handle = openSync(path, 'wx');
      made.push(path);
      writeFileSync(handle, text);
      closeSync(handle);
    }
    last();
  } catch (error) {
    for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
    throw error;
  }
}
