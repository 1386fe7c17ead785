/** What a key and all that refers to it consist of: the columns that become bigint, and what stands on them. */
import type { Sql } from 'postgres';
import { Problem } from '../problem.ts';
import {
  type Column,
  keyTypes,
  type Parent,
  readColumns,
  readParents,
  readPrimaryKey,
  type Source,
} from '../source.ts';

/** A column that becomes bigint. Its twin takes its name at the end; it then has the name aside until clean-up. */
export interface Widened {
  column: Column;
  twin: { name: string; quoted: string };
  aside: { name: string; quoted: string };
  /** Whether other columns that become bigint refer to it. */
  isReferred: boolean;
  /** Whether it is generated always as identity: no update can set it. */
  isAlways: boolean;
}

/** An index that holds such a column, and the same on the twin. */
export interface Index {
  /** As SQL writes it, with its schema. */
  full: string;
  definition: string;
  /** Both as SQL writes them. */
  twin: { name: string; full: string };
  isUnique: boolean;
  /** What stands behind the name of the table in create index, on the twin. */
  tail: string;
}

export interface WidenedTable {
  oid: number;
  schema: string;
  table: string;
  /** Both, as SQL writes them. */
  relation: string;
  columns: Column[];
  parents: Parent[];
  widened: Widened[];
  indexes: Index[];
  /** By which it is walked; undefined where its rows go with those of the source that they refer to. */
  walk: { key: Column; keyType: Source['keyType'] } | undefined;
  /** Names the row of the source that a row goes with. */
  entity: Column;
  primaryKey: Column[];
}

/** A check or foreign key in which such a column is; foreign keys of others to it as well. */
export interface Constraint {
  /** As SQL writes it. */
  relation: string;
  name: string;
  quoted: string;
  definition: string;
}

export interface Widening {
  plan: string;
  source: Source;
  /** That of the source first. */
  tables: WidenedTable[];
  constraints: Constraint[];
}

/** A plan has 99 syncs, and a table takes four. */
const MOST_TABLES = 24;

interface Reference {
  name: string;
  oid: number;
  relation: string;
  columns: string[];
  referred: string[];
  type: string;
}

/** Reads them, and refuses by name what the plan could not carry over. Takes back what it does to find out. */
export async function readWidening(sql: Sql, plan: string, source: Source): Promise<Widening> {
  const done = new Error('taken back');
  let widening: Widening | undefined;
  try {
    await sql.begin(async (tx) => {
      // So that all that is read comes with its schema.
      await tx`select set_config('search_path', '', true)`;
      widening = await readAll(tx as unknown as Sql, plan, source);
      throw done;
    });
  } catch (raised) {
    if (raised !== done) throw raised;
  }
  if (!widening) throw new Error('nothing was read');
  return widening;
}

async function readAll(sql: Sql, plan: string, source: Source): Promise<Widening> {
  const [own] = await sql<{ oid: number }[]>`select ${source.relation}::regclass::int8::int4 as oid`;
  const found = new Map<number, { relation: string; names: string[] }>([
    [own?.oid ?? 0, { relation: source.relation, names: [source.key.name] }],
  ]);
  // What refers to a column that refers to the key holds keys as well.
  const left = [{ oid: own?.oid ?? 0, name: source.key.name }];
  const referred: typeof left = [];
  for (let next = left.shift(); next; next = left.shift()) {
    const references = await readReferences(sql, next.oid, next.name);
    if (!references.every(isWide)) referred.push(next);
    for (const reference of references) {
      const [name = ''] = reference.columns;
      const table = found.get(reference.oid) ?? { relation: reference.relation, names: [] };
      if (isWide(reference) || table.names.includes(name)) continue;
      found.set(reference.oid, { ...table, names: [...table.names, name] });
      left.push({ oid: reference.oid, name });
    }
  }
  if (found.size > MOST_TABLES) {
    throw new Problem(
      'unfit-table',
      `${found.size - 1} tables hold keys of ${source.relation}, and a plan keeps ${MOST_TABLES - 1} equal at most.`,
      'Drop foreign keys of some of them first, and change their columns by type-change.',
    );
  }
  const tables: WidenedTable[] = [];
  for (const [oid, { relation, names }] of found) {
    tables.push(
      await readTable(sql, {
        plan,
        source,
        oid,
        relation,
        names,
        referred: referred.filter((one) => one.oid === oid).map(({ name }) => name),
        from: tables.flatMap(({ indexes }) => indexes).length,
      }),
    );
  }
  return { plan, source, tables, constraints: await readConstraints(sql, tables) };
}

/** Foreign keys to a column. */
async function readReferences(sql: Sql, oid: number, name: string): Promise<Reference[]> {
  const references = await sql<Reference[]>`
    select c.conname as name, c.conrelid::int8::int4 as oid, c.conrelid::regclass::text as relation,
      array(select a.attname::text from unnest(c.conkey) with ordinality k(n, i)
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n order by k.i) as columns,
      array(select a.attname::text from unnest(c.confkey) with ordinality k(n, i)
            join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.n order by k.i) as referred,
      (select a.atttypid::regtype::text from pg_attribute a where a.attrelid = c.conrelid and a.attnum = c.conkey[1]) as type
    from pg_constraint c
    join pg_attribute r on r.attrelid = c.confrelid and r.attnum = any (c.confkey)
    where c.contype = 'f' and c.confrelid = ${oid} and r.attname = ${name} and c.conparentid = 0
    order by 3, 1`;
  for (const { name: constraint, relation, columns, type } of references) {
    if (columns.length > 1) {
      throw new Problem(
        'unfit-table',
        `The foreign key ${constraint} of ${relation} is of several columns: (${columns.join(', ')}).`,
        'Drop it, and add it again once the plan is finalized and these columns are bigint.',
      );
    }
    if (!['smallint', 'integer', 'bigint'].includes(type)) {
      throw new Problem(
        'unfit-table',
        `${relation}.${columns[0]} has type ${type}, by the foreign key ${constraint}.`,
        'Give it the type integer or bigint first.',
      );
    }
  }
  return references;
}

const isWide = ({ type }: Reference): boolean => type === 'bigint';

async function readTable(
  sql: Sql,
  {
    plan,
    source,
    oid,
    relation,
    names,
    referred,
    from,
  }: {
    plan: string;
    source: Source;
    oid: number;
    relation: string;
    names: string[];
    referred: string[];
    from: number;
  },
): Promise<WidenedTable> {
  const { schema, table } = await readOrdinary(sql, oid, relation);
  const columns = await readColumns(sql, oid);
  const primaryKey = (await readPrimaryKey(sql, oid)).flatMap((quoted) =>
    columns.filter((column) => column.quoted === quoted),
  );
  if (primaryKey.length === 0) {
    throw new Problem(
      'unfit-table',
      `${relation} has no primary key.`,
      'Add one: the journal names rows by it.',
    );
  }
  const widened: Widened[] = [];
  for (const column of columns.filter(({ name }) => names.includes(name))) {
    const [twin, aside] = [`${column.name}_new`, `${column.name}_before`];
    for (const name of [twin, aside]) expectFree(relation, columns, name);
    const [row] = await sql<[{ twin: string; aside: string; isAlways: boolean }]>`
      select quote_ident(${twin}) as twin, quote_ident(${aside}) as aside, a.attidentity = 'a' as "isAlways"
      from pg_attribute a where a.attrelid = ${oid} and a.attname = ${column.name}`;
    widened.push({
      column,
      twin: { name: twin, quoted: row.twin },
      aside: { name: aside, quoted: row.aside },
      isReferred: referred.includes(column.name),
      isAlways: row.isAlways,
    });
  }
  const isSource = relation === source.relation;
  const walk = isSource ? { key: source.key, keyType: source.keyType } : await readWalk(sql, oid, columns);
  const entity = walk?.key ?? widened.find(({ column }) => column.notNull)?.column;
  if (!entity) {
    throw new Problem(
      'unfit-table',
      `${relation} has no column that is unique alone, and none that always refers to ${source.relation}.`,
      `Add one: alter table ${relation} add column walk_id bigint generated always as identity unique;`,
    );
  }
  const indexes = await readIndexes(sql, { plan, oid, relation, widened, from });
  const parents = await readParents(sql, oid, columns);
  return { oid, schema, table, relation, columns, parents, widened, indexes, walk, entity, primaryKey };
}

function expectFree(relation: string, columns: readonly Column[], name: string): void {
  if (Buffer.byteLength(name) > 63) {
    throw new Problem(
      'bad-name',
      `${relation} cannot have a column ${name}: the name is longer than 63 bytes.`,
      'The plan needs it for a while: give the column without the ending a shorter name first.',
    );
  }
  if (columns.some((column) => column.name === name)) {
    throw new Problem(
      'name-taken',
      `${relation} has a column ${name} already.`,
      'The plan needs this name for a while: rename that column first.',
    );
  }
}

async function readOrdinary(
  sql: Sql,
  oid: number,
  relation: string,
): Promise<{ schema: string; table: string }> {
  const [row] = await sql<[{ schema: string; table: string; plain: boolean; ours: boolean; owner: string }]>`
    select n.nspname as schema, c.relname as table, c.relkind = 'r' and not c.relispartition and not exists (
        select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent)) as plain,
      pg_has_role(c.relowner, 'usage') as ours, c.relowner::regrole::text as owner
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = ${oid}`;
  if (!row.plain) {
    throw new Problem(
      'unfit-table',
      `${relation} is partitioned, a partition, or inherits.`,
      'Keys in such tables are not changed by this plan.',
    );
  }
  if (!row.ours) {
    throw new Problem(
      'unfit-table',
      `${relation} belongs to ${row.owner}, and not to you, and refers to the key.`,
      'Drop its foreign key, or have its owner change.',
    );
  }
  return row;
}

/** A column by which the table can be walked: its primary key, or another that is unique alone and never null. */
async function readWalk(sql: Sql, oid: number, columns: readonly Column[]): Promise<WidenedTable['walk']> {
  const rows = await sql<{ name: string }[]>`
    select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = ${oid} and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indnkeyatts = 1 and a.attnotnull
    order by i.indisprimary desc, i.indexrelid`;
  for (const { name } of rows) {
    const key = columns.find((column) => column.name === name);
    const keyType = keyTypes.find((type) => type === key?.type.replace(/^character varying.*/, 'text'));
    if (key && keyType) return { key, keyType };
  }
  return undefined;
}

async function readIndexes(
  sql: Sql,
  {
    plan,
    oid,
    relation,
    widened,
    from,
  }: Pick<WidenedTable, 'oid' | 'relation' | 'widened'> & { plan: string; from: number },
): Promise<Index[]> {
  const names = widened.map(({ column }) => column.name);
  const rows = await sql<
    {
      full: string;
      schema: string;
      definition: string;
      prefix: string;
      isUnique: boolean;
      obstacle: string | null;
    }[]
  >`
    select i.indexrelid::regclass::text as full, quote_ident(n.nspname) as schema, pg_get_indexdef(i.indexrelid) as definition,
      format('CREATE %sINDEX %I ON %s USING ', case when i.indisunique then 'UNIQUE ' end, c.relname, i.indrelid::regclass) as prefix,
      i.indisunique as "isUnique",
      case
        when i.indisexclusion then 'belongs to an exclusion constraint'
        when not i.indimmediate then 'belongs to a deferrable constraint'
        when not i.indisvalid then 'is not valid'
        when coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) then 'takes nulls for equal'
      end as obstacle
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = ${oid} and exists (
      select from pg_attribute a where a.attrelid = i.indrelid and a.attname::text = any (${names}) and (a.attnum = any (i.indkey) or exists (
        select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = a.attnum)))
    order by i.indisprimary desc, 1`;
  // An empty copy of the table, whose columns become the twins: what an index says of them PostgreSQL writes itself.
  const copied = `imago_copy_${oid}`;
  await sql.unsafe(`create temporary table ${copied} (like ${relation})`);
  for (const { column } of widened) {
    await sql.unsafe(`alter table pg_temp.${copied} alter column ${column.quoted} type bigint`);
  }
  const indexes: Index[] = [];
  for (const [n, { full, schema, definition, prefix, isUnique, obstacle }] of rows.entries()) {
    if (obstacle !== null || !definition.startsWith(prefix)) {
      throw new Problem(
        'unfit-table',
        `The index ${full} ${obstacle ?? 'cannot be read'}.`,
        'Drop it, and make it again once the plan is finalized.',
      );
    }
    const name = `${plan}_index_${from + n + 1}`;
    try {
      await sql.unsafe(
        `create index ${copied}_${n} on pg_temp.${copied} using ${definition.slice(prefix.length)}`,
      );
    } catch (cause) {
      throw new Problem(
        'unfit-table',
        `The index ${full} cannot be on a column of type bigint (${(cause as Error).message}).`,
        'Drop it, and make it again once the plan is finalized.',
        { cause },
      );
    }
    indexes.push({ full, definition, twin: { name, full: `${schema}.${name}` }, isUnique, tail: '' });
  }
  for (const { column, twin } of widened) {
    await sql.unsafe(`alter table pg_temp.${copied} rename column ${column.quoted} to ${twin.quoted}`);
  }
  for (const [n, index] of indexes.entries()) {
    const [row] = await sql<[{ definition: string }]>`
      select pg_get_indexdef(${`pg_temp.${copied}_${n}`}::regclass) as definition`;
    index.tail = row.definition.slice(row.definition.indexOf(' USING ') + 1);
  }
  return indexes;
}

async function readConstraints(sql: Sql, tables: readonly WidenedTable[]): Promise<Constraint[]> {
  const found = new Map<string, Constraint>();
  for (const { oid, widened } of tables) {
    const names = widened.map(({ column }) => column.name);
    const rows = await sql<(Constraint & { key: string; columns: number })[]>`
      select c.oid::text as key, c.conrelid::regclass::text as relation, c.conname as name, quote_ident(c.conname) as quoted,
        pg_get_constraintdef(c.oid) as definition, cardinality(c.conkey)::int4 as columns
      from pg_constraint c join pg_attribute a on a.attname::text = any (${names})
        and (a.attrelid = c.conrelid and a.attnum = any (c.conkey) or a.attrelid = c.confrelid and a.attnum = any (c.confkey))
      where a.attrelid = ${oid} and c.contype in ('c', 'f')
      order by 2, 3`;
    for (const { key, columns, ...constraint } of rows) {
      if (columns > 1 && constraint.definition.startsWith('FOREIGN KEY')) {
        throw new Problem(
          'unfit-table',
          `The foreign key ${constraint.name} of ${constraint.relation} is of several columns.`,
          'Drop it, and add it again once the plan is finalized.',
        );
      }
      found.set(key, constraint);
    }
  }
  return [...found.values()];
}
