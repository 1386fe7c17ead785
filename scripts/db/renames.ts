/** Tables, columns and enum values that were renamed, or moved to another schema: a drop and an add to a mere comparison. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import { literal, qualified, quote, readable } from './names.ts';
import type { Rename } from './options.ts';
import { Problem } from './problem.ts';
import { type Relation, readStructure } from './structure.ts';

/** Something that may have been renamed: gone here, new there, and alike. */
export interface Candidate {
  kind: 'table' | 'column' | 'enum value';
  /** Old and new name in their parts: schema, table or type, column or value. */
  from: string[];
  to: string[];
  /** What speaks for it, for people: the type of a column, the columns that two tables share. */
  because: string;
}

/** A rename with its statement and the one that takes it back. */
export interface Renamed extends Candidate {
  up: string;
  down: string;
}

/** What is decided about a candidate. */
export type Decide = (candidate: Candidate) => Promise<boolean>;

const derivedQuery = await readFile(new URL('./derived.sql', import.meta.url), 'utf8');

/** Finds out what was renamed between two databases, and does it in the first one. */
export async function renameIn(
  from: Sql,
  to: Sql,
  told: readonly Rename[],
  decide: Decide,
): Promise<Renamed[]> {
  const untold = new Set(told);
  const renamed: Renamed[] = [];
  for (const find of [tables, columns, enumValues]) {
    const taken = new Set<string>();
    for (const candidate of await find(from, to)) {
      const [old, now] = [readable(...candidate.from), readable(...candidate.to)];
      if (taken.has(`old ${old}`) || taken.has(`new ${now}`)) continue;
      const said = told.find((rename) => says(rename, candidate));
      if (said) untold.delete(said);
      // Where somebody has said what one of the two was renamed to, it is not asked about with anything else.
      const contradicted = told.some(
        (rename) => ends(rename.from, candidate.from) || ends(rename.to, candidate.to),
      );
      if (!said && (contradicted || candidate.because === '' || !(await decide(candidate)))) continue;
      const step = { ...candidate, ...statementsOf(candidate, await lacksSchema(from, candidate)) };
      await from.unsafe(step.up);
      renamed.push(step);
      taken.add(`old ${old}`).add(`new ${now}`);
    }
  }
  const [wrong] = untold;
  if (wrong) {
    throw new Problem(
      'bad-rename',
      `--rename ${readable(...wrong.from)}=${readable(...wrong.to)}: the models do not drop the one and add the other.`,
      'Name a table (public.a=public.b), a column (public.a.b=public.a.c) or an enum value (public.mood.a=public.mood.b), the table by its new name.',
    );
  }
  return renamed;
}

/** Constraints, indexes and sequences that are the same but for their names, which follow their table's or column's. */
export async function renameDerived(from: Sql, to: Sql): Promise<{ up: string; down: string }[]> {
  const [before, after] = await Promise.all([derived(from), derived(to)]);
  const key = (item: Derived) => [item.kind, item.owner, item.definition].join('\n');
  const sameName = (a: Derived) => (b: Derived) =>
    a.kind === b.kind && a.owner === b.owner && a.name === b.name;
  const steps: { up: string; down: string }[] = [];
  for (const old of before.filter((item) => !after.some(sameName(item)))) {
    const others = before.filter((item) => key(item) === key(old));
    const news = after.filter((item) => key(item) === key(old) && !before.some(sameName(item)));
    const [now] = news;
    if (others.length !== 1 || news.length !== 1 || !now) continue;
    const step =
      old.kind === 'constraint'
        ? {
            up: `alter table ${old.owner} rename constraint ${quote(old.name)} to ${quote(now.name)}`,
            down: `alter table ${old.owner} rename constraint ${quote(now.name)} to ${quote(old.name)}`,
          }
        : {
            up: `alter ${old.kind} ${qualified(old.schema, old.name)} rename to ${quote(now.name)}`,
            down: `alter ${old.kind} ${qualified(old.schema, now.name)} rename to ${quote(old.name)}`,
          };
    await from.unsafe(step.up);
    steps.push(step);
  }
  return steps;
}

interface Derived {
  kind: 'constraint' | 'index' | 'sequence';
  relation: string;
  owner: string;
  schema: string;
  name: string;
  definition: string;
}

async function derived(sql: Sql): Promise<Derived[]> {
  return await sql.begin(async (tx) => {
    await tx`select set_config('search_path', '', true)`;
    return [...(await tx.unsafe<Derived[]>(derivedQuery))];
  });
}

/** Whether a table moves into a schema that is not there. */
async function lacksSchema(sql: Sql, { kind, to: [schema = ''] }: Candidate): Promise<boolean> {
  return kind === 'table' && (await sql`select from pg_namespace where nspname = ${schema}`).length === 0;
}

function statementsOf({ kind, from, to }: Candidate, isNewSchema: boolean): { up: string; down: string } {
  const [schema = '', old = '', oldPart = ''] = from;
  const [newSchema = '', now = '', nowPart = ''] = to;
  const renamed = (at: string, name: string, other: string) =>
    name === other ? [] : [`alter table ${qualified(at, name)} rename to ${quote(other)}`];
  const moved = (name: string, at: string, other: string) =>
    at === other ? [] : [`alter table ${qualified(at, name)} set schema ${quote(other)}`];
  switch (kind) {
    case 'table':
      return {
        up: [
          ...(isNewSchema ? [`create schema ${quote(newSchema)}`] : []),
          ...moved(old, schema, newSchema),
          ...renamed(newSchema, old, now),
        ].join(';\n'),
        down: [
          ...renamed(newSchema, now, old),
          ...moved(old, newSchema, schema),
          ...(isNewSchema ? [`drop schema ${quote(newSchema)}`] : []),
        ].join(';\n'),
      };
    case 'column':
      return {
        up: `alter table ${qualified(schema, now)} rename column ${quote(oldPart)} to ${quote(nowPart)}`,
        down: `alter table ${qualified(schema, now)} rename column ${quote(nowPart)} to ${quote(oldPart)}`,
      };
    case 'enum value':
      return {
        up: `alter type ${qualified(schema, now)} rename value ${literal(oldPart)} to ${literal(nowPart)}`,
        down: `alter type ${qualified(schema, now)} rename value ${literal(nowPart)} to ${literal(oldPart)}`,
      };
  }
}

/** Whether a rename from the command line is this one; the schema may be left out. */
function says(rename: Rename, candidate: Candidate): boolean {
  return ends(rename.from, candidate.from) && ends(rename.to, candidate.to);
}

function ends(said: readonly string[], full: readonly string[]): boolean {
  const end = full.slice(full.length - said.length);
  return said.length <= full.length && said.every((part, index) => part === end[index]);
}

async function tables(from: Sql, to: Sql): Promise<Candidate[]> {
  const [before, after] = await Promise.all([relations(from), relations(to)]);
  const candidates = lost(before, after).flatMap((old) =>
    lost(after, before).map((now) => ({ old, now, likeness: likeness(old, now) })),
  );
  return candidates
    .sort((a, b) => b.likeness - a.likeness)
    .map(({ old, now, likeness }) => ({
      kind: 'table',
      from: [old.schema, old.name],
      to: [now.schema, now.name],
      // Less in common than half is no reason to ask, nor is another name in another schema.
      because:
        likeness >= 0.5 && (old.schema === now.schema || old.name === now.name)
          ? `${Math.round(likeness * 100)} % of their columns are the same`
          : '',
    }));
}

/** How much of their columns two tables share. */
function likeness(a: Relation, b: Relation): number {
  const shared = a.columns.filter((column) =>
    b.columns.some((other) => other.name === column.name && other.type === column.type),
  );
  return shared.length / Math.max(a.columns.length, b.columns.length, 1);
}

async function columns(from: Sql, to: Sql): Promise<Candidate[]> {
  const [before, after] = await Promise.all([relations(from), relations(to)]);
  return [...before.values()].flatMap((old) => {
    const now = after.get(`${old.schema}\n${old.name}`);
    if (!now) return [];
    const gone = old.columns.filter(({ name }) => !now.columns.some((column) => column.name === name));
    const added = now.columns.filter(({ name }) => !old.columns.some((column) => column.name === name));
    return gone.flatMap((column) =>
      added.map(
        (other): Candidate => ({
          kind: 'column',
          from: [old.schema, old.name, column.name],
          to: [now.schema, now.name, other.name],
          because: column.type === other.type ? `both ${column.type}` : '',
        }),
      ),
    );
  });
}

async function enumValues(from: Sql, to: Sql): Promise<Candidate[]> {
  const [before, after] = await Promise.all([enums(from), enums(to)]);
  return before.flatMap(({ schema, name, values }) => {
    const now = after.find((other) => other.schema === schema && other.name === name)?.values;
    if (!now) return [];
    const gone = values.filter((value) => !now.includes(value));
    const added = now.filter((value) => !values.includes(value));
    return gone.flatMap((value) =>
      added.map(
        (other): Candidate => ({
          kind: 'enum value',
          from: [schema, name, value],
          to: [schema, name, other],
          because: values.indexOf(value) === now.indexOf(other) ? 'at the same place' : '',
        }),
      ),
    );
  });
}

interface Enum {
  schema: string;
  name: string;
  values: string[];
}

async function enums(sql: Sql): Promise<Enum[]> {
  return await sql<Enum[]>`
    select n.nspname as schema, t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as values
    from pg_enum e join pg_type t on t.oid = e.enumtypid join pg_namespace n on n.oid = t.typnamespace
    group by n.nspname, t.typname`;
}

/** Tables by schema and name. */
async function relations(sql: Sql): Promise<Map<string, Relation>> {
  const all = [...(await readStructure(sql)).values()].filter(({ kind }) => kind !== 'S');
  return new Map(all.map((relation) => [`${relation.schema}\n${relation.name}`, relation]));
}

function lost(from: Map<string, Relation>, to: Map<string, Relation>): Relation[] {
  return [...from].filter(([key]) => !to.has(key)).map(([, relation]) => relation);
}
