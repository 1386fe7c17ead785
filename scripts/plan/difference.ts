/** What a plan is in a database: its functions and other objects, and its registration. And what leads from one to another. */
import { isDeepStrictEqual } from 'node:util';
import type { ISql, Sql } from 'postgres';
import { literal, qualified, quote } from '../db/names.ts';
import { madeAndGone } from '../sql/objects.ts';
import { splitStatements } from '../sql/statements.ts';
import type { Source } from './project.ts';

/** A function of a plan, in its schema or, published, in public. */
interface Routine {
  /** With its arguments, as SQL names it. */
  name: string;
  schema: string;
  /** Without arguments. */
  bare: string;
  /** What cannot be replaced: result and names of arguments. */
  shape: string;
  definition: string;
  comment: string | null;
}

/** A row of a registration table, its columns by name. */
interface Row {
  table: string;
  /** What it is called within its plan. */
  key: string;
  columns: Record<string, string | null>;
}

export interface State {
  routines: Routine[];
  /** Everything else in the plan's schema, and rights, by name. */
  others: Record<string, string>;
  rows: Row[];
}

/** The registration tables, and SQL for what their rows are known by within a plan. */
const tables = {
  plan: 'name',
  plan_stage: 'number',
  plan_step: 'name',
  plan_write: 'relation',
  plan_sync: 'name',
  plan_check: 'name',
  plan_cohort: "name || ' of stage ' || stage",
} as const;

type Table = keyof typeof tables;

/** Of these, positions are unique. */
const positioned = new Set<string>(['plan_step', 'plan_sync']);

/** Reads what a plan is. */
export async function readState(sql: Sql, plan: string): Promise<State> {
  return (await sql.begin(async (tx) => {
    // So that names come with their schema.
    await tx`select set_config('search_path', '', true)`;
    const rows: Row[] = [];
    for (const table of Object.keys(tables) as Table[]) rows.push(...(await readRows(tx, table, plan)));
    return { routines: await readRoutines(tx, plan), others: await readOthers(tx, plan), rows };
  })) as State;
}

async function readRoutines(sql: ISql, plan: string): Promise<Routine[]> {
  return [
    ...(await sql<Routine[]>`
      select p.oid::regprocedure::text as name, n.nspname as schema, p.proname as bare,
        concat_ws(' ', p.prokind, pg_get_function_result(p.oid), pg_get_function_arguments(p.oid)) as shape,
        pg_get_functiondef(p.oid) as definition, obj_description(p.oid, 'pg_proc') as comment
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prokind in ('f', 'p')
        and (n.nspname = ${plan} or p.oid in (select a.object_id from imago.added a where a.plan = ${plan} and a.type = 'function'))
      order by 1`),
  ];
}

async function readOthers(sql: ISql, plan: string): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; is: string }[]>`
    with rights (name, acl) as (
      select 'rights on schema ' || n.nspname, n.nspacl from pg_namespace n where n.nspname = ${plan}
      union all select 'rights on function ' || p.oid::regprocedure, p.proacl from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = ${plan} or p.oid in (select a.object_id from imago.added a where a.plan = ${plan} and a.type = 'function')
      union all select 'rights on ' || c.oid::regclass, c.relacl from pg_class c where c.relnamespace = to_regnamespace(${plan}) and c.relkind <> 'i'
    )
    select name, coalesce((select string_agg(a::text, ' ' order by a::text) from unnest(acl) a), 'default') as is from rights
    union all
    select 'comment on schema ' || n.nspname, obj_description(n.oid, 'pg_namespace') from pg_namespace n where n.nspname = ${plan}
    union all
    select 'relation ' || c.oid::regclass, concat_ws(' | ', c.relkind, obj_description(c.oid, 'pg_class'), pg_get_viewdef(c.oid),
      (select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), ', ' order by a.attnum)
       from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      (select string_agg(pg_get_constraintdef(k.oid), ', ' order by k.conname) from pg_constraint k where k.conrelid = c.oid),
      (select string_agg(pg_get_triggerdef(t.oid), ', ' order by t.tgname) from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal))
    from pg_class c where c.relnamespace = to_regnamespace(${plan}) and c.relkind in ('r', 'p', 'v', 'm', 'S', 'c')
    union all
    select 'type ' || t.oid::regtype, concat_ws(' ', t.typtype, t.typnotnull, format_type(nullif(t.typbasetype, 0), t.typtypmod),
      (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
    from pg_type t where t.typnamespace = to_regnamespace(${plan}) and t.typtype in ('e', 'd', 'r')
    union all
    select 'aggregate ' || p.oid::regprocedure, '' from pg_proc p where p.pronamespace = to_regnamespace(${plan}) and p.prokind in ('a', 'w')`;
  return Object.fromEntries(rows.map(({ name, is }) => [name, is]));
}

/** What the plan says; what the engine keeps there for itself is left out. */
async function readRows(sql: ISql, table: Table, plan: string): Promise<Row[]> {
  const columns = await sql<{ name: string }[]>`
    select a.attname as name from pg_attribute a
    where a.attrelid = ${`imago.${table}`}::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
      and coalesce(col_description(a.attrelid, a.attnum), '') not like 'Kept by the engine%'
    order by a.attnum`;
  const list = columns.map(({ name }) => `'${name}', r.${quote(name)}::text`).join(', ');
  const owner = table === 'plan' ? 'name' : 'plan';
  const rows = await sql.unsafe<{ key: string; columns: Record<string, string | null> }[]>(
    `select (${tables[table]})::text as key, jsonb_build_object(${list}) as columns
     from imago.${table} r where r.${owner} = $1 order by 1`,
    [plan],
  );
  return rows.map(({ key, columns: values }) => ({ table, key, columns: values }));
}

/** Names of all in which two states differ. */
export function differences(is: State, should: State): string[] {
  const names = (state: State): Map<string, unknown> =>
    new Map<string, unknown>([
      ...state.routines.map((routine) => [`function ${routine.name}`, routine] as const),
      ...Object.entries(state.others),
      ...state.rows.map((row) => [`${row.key} in imago.${row.table}`, row] as const),
    ]);
  const [before, after] = [names(is), names(should)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => !isDeepStrictEqual(before.get(name), after.get(name)))
    .sort();
}

/** What leads from one state of a plan to another. */
export interface Way {
  /** Parts of a migration. */
  sections: string[];
  /** What changes, each in a few words. */
  changes: string[];
}

/** The changes of functions and of the registration. Other objects are for a person to change. */
export function wayBetween(plan: string, is: State, should: State, sources: readonly Source[]): Way {
  const before = new Map(is.routines.map((routine) => [routine.name, routine]));
  const after = new Map(should.routines.map((routine) => [routine.name, routine]));
  const gone = is.routines.filter(({ name }) => !after.has(name));
  const changed = should.routines.filter((routine) => !isDeepStrictEqual(before.get(routine.name), routine));
  const reshaped = changed.filter(({ name, shape }) => (before.get(name)?.shape ?? shape) !== shape);
  const dropped = [...gone, ...reshaped];
  const rows = rowChanges(plan, is.rows, should.rows);
  const title = should.others[`comment on schema ${plan}`];

  const sections: string[] = [];
  if (rows.structural) sections.push(guard(plan));
  if (dropped.length > 0) {
    sections.push(`${dropped.map(({ name }) => `drop function ${name};`).join('\n')}\n`);
  }
  sections.push(...functionTexts(changed, sources));
  if (rows.statements.length > 0) sections.push(`${rows.statements.join('\n')}\n`);
  if (title !== undefined && title !== is.others[`comment on schema ${plan}`]) {
    sections.push(`comment on schema ${plan} is ${literal(title)};\n`);
  }
  if (changed.length > 0) sections.push(`select imago.revoke_plan_functions('${plan}');\n`);
  return {
    sections,
    changes: [
      ...gone.map(({ name }) => `dropped function ${name}`),
      ...changed.map(({ name }) => `${before.has(name) ? 'changed' : 'added'} function ${name}`),
      ...rows.changes,
    ],
  };
}

/** The sources in which changed functions stand; of one that stands in none, as of a default, what the database says. */
function functionTexts(changed: readonly Routine[], sources: readonly Source[]): string[] {
  const left = new Set(changed);
  const texts = sources.flatMap(({ file, text }) => {
    const made = splitStatements(text).flatMap(({ tree }) =>
      tree.CreateFunctionStmt
        ? madeAndGone({ tree }).made.map((name) => qualified(name[0], name[1] ?? ''))
        : [],
    );
    const found = [...left].filter(({ schema, bare }) => made.includes(qualified(schema, bare)));
    for (const routine of found) left.delete(routine);
    return found.length > 0
      ? [`-- ${file.replace(/^.*\//, '').replace(/\.sql$/, '')}\n${text.trim()}\n`]
      : [];
  });
  const others = [...left].map(
    ({ name, definition, comment }) =>
      `${definition.trimEnd()};\ncomment on function ${name} is ${comment === null ? 'null' : literal(comment)};\n`,
  );
  return [...texts, ...others];
}

/** Of these columns of imago.plan nothing has been made yet that would have to change. */
const words = new Set(['title', 'entity_singular', 'entity_plural']);

/** What stops a push where the change would come too late. */
function guard(plan: string): string {
  return `do $$
begin
  if exists (select from imago.plan p where p.name = '${plan}' and p.prepared_at is not null and p.closed_at is null) then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = 'plan ${plan} is prepared, with the tables, columns and syncs that it had before',
      hint = 'Take it back first (imago rollback --plan ${plan}), or finalize it; then push again.';
  end if;
end
$$;
`;
}

interface RowChanges {
  statements: string[];
  changes: string[];
  /** Whether triggers or undo tables of a prepared plan would not fit any more. */
  structural: boolean;
}

function rowChanges(plan: string, is: readonly Row[], should: readonly Row[]): RowChanges {
  const statements: string[] = [];
  const changes: string[] = [];
  let structural = false;
  for (const table of Object.keys(tables) as Table[]) {
    const of = (rows: readonly Row[]) =>
      new Map(rows.filter((row) => row.table === table).map((row) => [row.key, row]));
    const [before, after] = [of(is), of(should)];
    const where = (key: string) =>
      `where ${table === 'plan' ? '' : `plan = ${literal(plan)} and `}${tables[table]} = ${literal(key)}`;
    const gone = [...before.values()].filter(({ key }) => !after.has(key));
    const added = [...after.values()].filter(({ key }) => !before.has(key));
    const changed = [...after.values()].flatMap((row) => {
      const old = before.get(row.key);
      const differing = Object.entries(row.columns).filter(
        ([name, value]) => old && old.columns[name] !== value,
      );
      return differing.length > 0 ? [{ row, differing }] : [];
    });
    statements.push(...gone.map(({ key }) => `delete from imago.${table} ${where(key)};`));
    if (positioned.has(table)) {
      // Two that change places would meet.
      const moving = changed.filter(({ differing }) => differing.some(([name]) => name === 'position'));
      const taken = new Set(
        [...before.values(), ...after.values()].map(({ columns }) => Number(columns.position)),
      );
      const free = Array.from({ length: 99 }, (_, i) => 99 - i).filter((position) => !taken.has(position));
      statements.push(
        ...moving.map(
          ({ row }, i) => `update imago.${table} set position = ${free[i] ?? 0} ${where(row.key)};`,
        ),
      );
    }
    statements.push(
      ...changed.map(
        ({ row, differing }) =>
          `update imago.${table} set ${differing.map(([name, value]) => `${quote(name)} = ${valueText(value)}`).join(', ')} ${where(row.key)};`,
      ),
      ...added.map(
        ({ columns }) =>
          `insert into imago.${table} (${Object.keys(columns).map(quote).join(', ')})\n  values (${Object.values(columns).map(valueText).join(', ')});`,
      ),
    );
    const say = (verb: string, rows: readonly Row[]) =>
      rows.map(({ key }) => `${verb} ${key} in imago.${table}`);
    changes.push(
      ...say('dropped', gone),
      ...say('added', added),
      ...say(
        'changed',
        changed.map(({ row }) => row),
      ),
    );
    const matters = ({ columns }: Row) =>
      table !== 'plan_check' &&
      table !== 'plan_cohort' &&
      (table !== 'plan_step' || columns.phase === 'prepare');
    structural ||=
      [...gone, ...added].some(matters) ||
      changed.some(
        ({ row, differing }) =>
          matters(row) && !(table === 'plan' && differing.every(([name]) => words.has(name))),
      );
  }
  return { statements, changes, structural };
}

function valueText(value: string | null): string {
  return value === null ? 'null' : literal(value);
}
