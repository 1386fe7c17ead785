/** Tables with a foreign key to the one that is walked, as the catalogue has them. */
import type { Sql } from 'postgres';
import { Problem } from '../problem.ts';
import {
  type Column,
  type Parent,
  readColumns,
  readParents,
  readPrimaryKey,
  type Source,
} from '../source.ts';

/** A unique index in which rows may collide once they refer to another row. */
export interface UniqueIndex {
  name: string;
  /** SQL of the parts besides the reference, of columns without a prefix. */
  others: string[];
  /** SQL of which rows it holds; null: all. */
  condition: string | null;
  /** Whether two nulls are equal in it. */
  nullsEqual: boolean;
}

/** A table that refers to the key, by one column or by several. */
export interface Referrer {
  /** As SQL writes it. */
  relation: string;
  columns: Column[];
  /** As SQL writes them. */
  primaryKey: string[];
  parents: Parent[];
  /** The columns that refer. */
  references: { column: Column; cascades: boolean; unique: UniqueIndex[] }[];
  /** Whether the reference is part of the primary key: the journal names rows by that, so it is never updated. */
  isKey: boolean;
}

interface Found {
  oid: number;
  relation: string;
  name: string;
  columns: string[];
  referred: string[];
  cascades: boolean;
}

/** All of them. Refuses references that cannot be repointed row by row. */
export async function readReferrers(sql: Sql, source: Source): Promise<Referrer[]> {
  return (await sql.begin(async (tx) => {
    // So that all that is read comes with its schema.
    await tx`select set_config('search_path', '', true)`;
    const found = await tx<Found[]>`
      select c.conrelid::int8::int4 as oid, c.conrelid::regclass::text as relation, c.conname as name, c.confdeltype = 'c' as cascades,
        array(select a.attname::text from unnest(c.conkey) with ordinality k(n, i)
              join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n order by k.i) as columns,
        array(select a.attname::text from unnest(c.confkey) with ordinality k(n, i)
              join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.n order by k.i) as referred
      from pg_constraint c
      where c.contype = 'f' and c.confrelid = ${source.relation}::regclass and c.conparentid = 0
      order by 2, 3`;
    for (const one of found) expectFit(source, one);
    const referrers: Referrer[] = [];
    for (const oid of new Set(found.map((one) => one.oid))) {
      referrers.push(
        await readReferrer(
          tx as unknown as Sql,
          source,
          found.filter((one) => one.oid === oid),
        ),
      );
    }
    return referrers;
  })) as Referrer[];
}

function expectFit(source: Source, { relation, name, columns, referred }: Found): void {
  const refuse = (what: string, remedy: string) => {
    throw new Problem('unfit-table', `The foreign key ${name} of ${relation} ${what}.`, remedy);
  };
  if (relation === source.relation) {
    refuse('refers to its own table', 'Rows of which some refer to others cannot be merged by this plan.');
  }
  if (columns.length > 1 || referred[0] !== source.key.name) {
    refuse(
      `refers to (${referred.join(', ')})`,
      `The plan walks ${source.relation} by ${source.key.name}: walk by what is referred to, one column.`,
    );
  }
}

async function readReferrer(sql: Sql, source: Source, found: readonly Found[]): Promise<Referrer> {
  const { oid = 0, relation = '' } = found[0] ?? {};
  const columns = await readColumns(sql, oid);
  const primaryKey = await readPrimaryKey(sql, oid);
  const references: Referrer['references'] = [];
  for (const { columns: names, cascades } of found) {
    const column = columns.find(({ name }) => name === names[0]);
    if (column) references.push({ column, cascades, unique: await readUnique(sql, oid, column.name) });
  }
  const isKey = references.some(({ column }) => primaryKey.includes(column.quoted));
  const refuse = (what: string, remedy: string) => {
    throw new Problem('unfit-table', `${relation} ${what}.`, remedy);
  };
  if (primaryKey.length === 0) refuse('has no primary key', 'Add one: the journal names rows by it.');
  if (references.length > 1 && references.some(({ cascades }) => cascades)) {
    refuse(
      `refers to ${source.relation} more than once, and is deleted along with it`,
      'Make these foreign keys again without on delete cascade: a row that refers to two would belong to both.',
    );
  }
  if (isKey) {
    const [row] = await sql<{ referred: boolean }[]>`
      select exists (select from pg_constraint c where c.contype = 'f' and c.confrelid = ${oid}) as referred`;
    if (references.length > 1 || row?.referred) {
      refuse(
        `has the reference to ${source.relation} in its primary key, and ${row?.referred ? 'is referred to itself' : 'refers to it more than once'}`,
        'Give it a primary key of its own: id bigint generated always as identity.',
      );
    }
  }
  const parents = (await readParents(sql, oid, columns)).filter(
    (parent) => parent.relation !== source.relation,
  );
  return { relation, columns, primaryKey, parents, references, isKey };
}

async function readUnique(sql: Sql, relation: number, column: string): Promise<UniqueIndex[]> {
  const rows = await sql<UniqueIndex[]>`
    select i.indexrelid::regclass::text as name, pg_get_expr(i.indpred, i.indrelid) as condition,
      coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as "nullsEqual",
      array(select pg_get_indexdef(i.indexrelid, k.place::integer, false) from unnest(i.indkey) with ordinality k(n, place)
            where k.place <= i.indnkeyatts and k.n <> a.attnum order by k.place) as others
    from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attname = ${column}
    where i.indrelid = ${relation} and i.indisunique and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])`;
  return [...rows];
}
