/** Writes a new plan into a project: all of its files, or none. */
import type { Sql } from 'postgres';
import { apply, expectWritable } from '../install/changes.ts';
import { readParts } from '../install/parts.ts';
import { type Beside, besideFiles } from './beside.ts';
import { kinds } from './kinds/index.ts';
import type { KindOptions } from './kinds/kind.ts';
import { mirrorFiles } from './kinds/mirror.ts';
import { columnProblem, nameProblem } from './plan-name.ts';
import { Problem } from './problem.ts';
import { builtOf, type Project, planNames, plansFolder } from './project.ts';
import { unfilled } from './sample.ts';
import { keyNames, plainName, readSource, type Source, tableName } from './source.ts';
import { type Draft, type Files, planFiles, testFiles } from './template.ts';

/** What a new plan is made from, as typed. */
export interface Wish {
  plan: string;
  source: string;
  key: string;
  column: string | undefined;
  /** A ready-made plan, and what it is told. */
  kind?: { name: string; options: KindOptions };
}

/** A plan that is written. */
export interface Created {
  /** Paths from the project's folder. */
  files: string[];
  /** Columns that made-up rows lack and a person has to fill. */
  unfilled: string[];
}

/** Refuses names that no plan can have, before any database is reached. */
export function checkNames({ plan, source, key, column }: Wish): void {
  tableName(source);
  const keys = keyNames(key);
  const twice = keys.find((name, n) => keys.indexOf(name) < n);
  if (twice !== undefined) {
    throw new Problem('bad-key', `--key names ${twice} twice.`, 'Name each column once.');
  }
  for (const [option, name] of [...keys.map((one) => ['key', one] as const), ['column', column] as const]) {
    if (name !== undefined && !plainName.test(name)) {
      throw new Problem(
        option === 'key' ? 'bad-key' : 'bad-name',
        `--${option}: ${name} is not a plain name.`,
        'Letters, digits, blanks, hyphens and underscores; no quotes.',
      );
    }
  }
  const problem = nameProblem(plan);
  if (problem !== undefined) {
    throw new Problem(
      'bad-name',
      `${plan} cannot be the name of a plan. ${problem}`,
      `Take another name, like ${suggestion(plan)}.`,
    );
  }
  const ofColumn = columnProblem(column ?? plan);
  if (ofColumn !== undefined) {
    throw new Problem(
      'bad-name',
      `${column} cannot be the name of a column. ${ofColumn}`,
      'Name another one with --column.',
    );
  }
}

/** Refuses a name that a plan has already: in the project, or among those that come with Imago. */
export function expectFree(project: Project, plan: string): void {
  // A system that does not tell capitals from small letters would take the one for the other.
  const there = planNames(project).find((name) => name.toLowerCase() === plan);
  const file = builtOf(project, plan)[0]?.file;
  if (there !== undefined || file !== undefined) {
    throw new Problem(
      'name-taken',
      `There is a plan ${there ?? plan} already: ${there === undefined ? file : `${plansFolder}/${there}/`}.`,
      'Take another name.',
    );
  }
  if (readParts().some((part) => part.plan === plan)) {
    throw new Problem(
      'name-taken',
      `${plan} is a plan that comes with Imago.`,
      `Take another name. To add that plan: install --plans ${plan}`,
    );
  }
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

/** Looks at the table, and writes the plan. */
export async function createPlan(sql: Sql, project: Project, wish: Wish): Promise<Created> {
  const { source, files } = await filesOf(sql, wish);
  const changes = Object.entries(files).map(([file, after]) => ({ file, before: undefined, after }));
  expectWritable(project.folder, changes);
  await apply(project.folder, changes);
  return { files: Object.keys(files), unfilled: unfilled(source) };
}

/** Reads the table and refuses what no plan can be made of. */
export async function filesOf(sql: Sql, wish: Wish): Promise<{ source: Source; files: Files }> {
  const source = await readSource(sql, wish.source, wish.key);
  await expectFreeSchema(sql, wish.plan);
  if (source.foreign) return { source, files: besideFiles(await draftBeside(sql, wish, source)) };
  if (wish.kind === undefined) {
    const draft = await draftPlan(sql, wish, source);
    return { source, files: { ...planFiles(draft), ...testFiles(draft) } };
  }
  const { name, options } = wish.kind;
  const kind = kinds[name];
  if (!kind) throw new Error(`no kind ${name}`);
  const given = { plan: wish.plan, source, options, sql };
  if ('files' in kind) {
    if (source.keys.length > 1) {
      throw new Problem(
        'bad-key',
        `--kind ${name} walks by one column, and ${wish.key} are several: ${kind.oneColumn ?? 'other tables name its rows by it'}.`,
        `Name a column that is unique alone, or add one: alter table ${source.relation} add column walk_id bigint generated always as identity unique;`,
      );
    }
    return await kind.files(given);
  }
  return { source, files: mirrorFiles(await kind.mirror(given)) };
}

async function expectFreeSchema(sql: Sql, plan: string): Promise<void> {
  const [taken] = await sql<{ schema: boolean }[]>`select to_regnamespace(${plan}) is not null as schema`;
  if (taken?.schema) {
    throw new Problem(
      'name-taken',
      `The database has a schema ${plan} already.`,
      'A plan has a schema of its name: take another name.',
    );
  }
}

/** A table of somebody else gets no column: the plan makes a table beside it. */
async function draftBeside(sql: Sql, wish: Wish, source: Source): Promise<Beside> {
  const { plan, kind, column } = wish;
  if (kind !== undefined || column !== undefined) {
    throw new Problem(
      'unfit-table',
      `${wish.source} belongs to ${source.foreign?.owner}, and ${kind ? `--kind ${kind.name} changes the table that it walks` : 'gets no column of yours'}.`,
      `Leave ${kind ? '--kind' : '--column'} away: the plan then has a table of its own, with a row for each row of ${wish.source}.`,
    );
  }
  const made = `public.${plan}`;
  const [taken] = await sql<[{ there: boolean }]>`
    select to_regclass(${made}) is not null or to_regtype(${made}) is not null as there`;
  if (taken.there) {
    throw new Problem(
      'name-taken',
      `There is ${made} already.`,
      'The new plan makes a table of its name, which you may exchange for yours in its files: take another name.',
    );
  }
  return { plan, source, made };
}

/** A new column of the table: refuses a name that it has already. */
async function draftPlan(sql: Sql, wish: Wish, source: Source): Promise<Draft> {
  const name = wish.column ?? wish.plan;
  const [identifier] = await sql<{ column: string }[]>`select quote_ident(${name}) as column`;
  if (source.columns.some((column) => column.name === name)) {
    throw new Problem(
      'name-taken',
      `${wish.source} has a column ${name} already.`,
      `The new plan adds a column and fills it: name another one with --column.`,
    );
  }
  return { plan: wish.plan, source, column: { name, quoted: identifier?.column ?? name } };
}
