/** The table that a new plan is to walk, as the database describes it. */
import type { ISql, Sql } from 'postgres';
import { z } from 'zod';
import { UsageError } from '../command/usage.ts';

const columnSchema = z.object({
  name: z.string(),
  /** As SQL writes it. */
  quoted: z.string(),
  /** The base type of a domain. */
  type: z.string(),
  labels: z.array(z.string()).nullable(),
  /** Of pg_catalog, or an enum; others may need an extension. */
  known: z.boolean(),
  notNull: z.boolean(),
  generated: z.boolean(),
  /** An identity, or filled from a sequence. */
  numbered: z.boolean(),
  default: z.string().nullable(),
});

export type Column = z.output<typeof columnSchema>;

const keyTypes = ['uuid', 'integer', 'bigint', 'text'] as const;

/** A table that a plan can walk. */
export interface Source {
  schema: string;
  table: string;
  /** As SQL writes it. */
  relation: string;
  key: Column;
  keyType: (typeof keyTypes)[number];
  columns: Column[];
  /** As SQL writes them. */
  primaryKey: string[];
}

/** Names that SQL, TypeScript and the shell all take as they are, in quotes at most. */
export const plainName = /^[\p{L}_][\p{L}\p{N}_ -]{0,62}$/u;

/** `public.users`, `public.User` or `public."User"`: the name of a table as it is, never folded. */
export function tableName(value: string): { schema: string; table: string } {
  const [, schema, table] = /^"?([^".]+)"?\."?([^".]+)"?$/.exec(value) ?? [];
  if (!schema || !table || !plainName.test(schema) || !plainName.test(table)) {
    throw new UsageError(
      `--source: ${value} is not the name of a table.`,
      'Write schema and table: public.users.',
    );
  }
  return { schema, table };
}

/** Reads the table, and refuses what no plan can walk. */
export async function readSource(sql: Sql, name: string, keyName: string): Promise<Source> {
  return (await sql.begin(async (tx) => {
    // So that types come with their schema.
    await tx`select set_config('search_path', '', true)`;
    return await describe(tx, name, keyName);
  })) as Source;
}

async function describe(sql: ISql, name: string, keyName: string): Promise<Source> {
  const { schema, table } = tableName(name);
  const [found] = await sql<{ oid: number; relation: string; kind: string; partition: boolean }[]>`
    select c.oid::int8::int4 as oid, format('%I.%I', n.nspname, c.relname) as relation, c.relkind as kind, c.relispartition as partition
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relname = ${table}`;
  if (!found) throw await missing(sql, schema, table);
  if (!['r', 'p'].includes(found.kind) || found.partition) {
    throw new UsageError(
      `${name} is not a table.`,
      'Views and single partitions cannot be walked; name the table.',
    );
  }
  const columns = await readColumns(sql, found.oid);
  const key = columns.find((column) => column.name === keyName);
  if (!key) {
    throw new UsageError(
      `${name} has no column ${keyName}.`,
      `--key names the column to walk by, one of: ${columns.map((column) => column.name).join(', ')}.`,
    );
  }
  const keyType = keyTypes.find((type) => type === key.type.replace(/^character varying.*/, 'text'));
  if (!keyType) {
    throw new UsageError(
      `${name}.${keyName} has type ${key.type}.`,
      `A key is one of: ${keyTypes.join(', ')}.`,
    );
  }
  if (!(await isUnique(sql, found.oid, keyName))) {
    throw new UsageError(
      `${name}.${keyName} is not unique.`,
      'The walk needs a unique index on the key alone.',
    );
  }
  const primaryKey = await readPrimaryKey(sql, found.oid);
  if (primaryKey.length === 0) {
    throw new UsageError(`${name} has no primary key.`, 'Add one: the journal names rows by it.');
  }
  return { schema, table, relation: found.relation, key, keyType, columns, primaryKey };
}

async function missing(sql: ISql, schema: string, table: string): Promise<UsageError> {
  const alike = await sql<{ name: string }[]>`
    select format('%s.%s', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and (n.nspname = ${schema} or lower(c.relname) = lower(${table}))
      and n.nspname !~ '^(pg_|information_schema|imago)'
    order by lower(c.relname) = lower(${table}) desc, 1
    limit 12`;
  const names = alike.map(({ name }) => name).join(', ');
  return new UsageError(
    `There is no table ${schema}.${table} in this database.`,
    names ? `There are: ${names}. Names are taken as they are written.` : 'Create it first.',
  );
}

async function readColumns(sql: ISql, relation: number): Promise<Column[]> {
  const rows = await sql`
    select
      a.attname as name, quote_ident(a.attname) as quoted, format_type(b.oid, case when t.typtype = 'd' then t.typtypmod else a.atttypmod end) as type,
      (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = b.oid) as labels,
      b.typnamespace = 'pg_catalog'::regnamespace or b.typtype = 'e' as known,
      a.attnotnull as "notNull", a.attgenerated <> '' as generated,
      a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false) as numbered,
      pg_get_expr(d.adbin, d.adrelid) as default
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${relation} and a.attnum > 0 and not a.attisdropped
    order by a.attnum`;
  return z.array(columnSchema).parse([...rows]);
}

async function isUnique(sql: ISql, relation: number, key: string): Promise<boolean> {
  const rows = await sql`
    select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = ${relation} and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1 and a.attname = ${key}`;
  return rows.length > 0;
}

async function readPrimaryKey(sql: ISql, relation: number): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select quote_ident(a.attname) as name
    from pg_index i cross join lateral unnest(i.indkey) with ordinality k(attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = ${relation} and i.indisprimary order by k.place`;
  return rows.map(({ name }) => name);
}
