/** The table that a new plan is to walk, as the database describes it. */
import type { ISql, Sql } from 'postgres';
import { z } from 'zod';
import { Problem } from './problem.ts';

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
  /** As SQL writes it; null: that of the type. */
  collation: z.string().nullable(),
  generated: z.boolean(),
  /** An identity, or filled from a sequence. */
  numbered: z.boolean(),
  default: z.string().nullable(),
  /** What a foreign key of this column alone refers to. */
  refers: z.object({ relation: z.number(), column: z.string() }).nullable(),
});

export type Column = z.output<typeof columnSchema>;

export const keyTypes = ['uuid', 'smallint', 'integer', 'bigint', 'text'] as const;

/** Of one of several columns of a key. */
const fieldTypes: readonly string[] = [
  ...keyTypes,
  'boolean',
  'date',
  'numeric',
  'timestamp with time zone',
  'timestamp without time zone',
];

/** A table that a plan can walk. */
export interface Source {
  schema: string;
  table: string;
  /** As SQL writes it. */
  relation: string;
  /** The columns of the key, in its order. */
  keys: Column[];
  /** The first of them. */
  key: Column;
  /** Of the first. */
  keyType: (typeof keyTypes)[number];
  columns: Column[];
  /** As SQL writes them. */
  primaryKey: string[];
  /** Tables in which there must be rows first, those of others before them. */
  parents: Parent[];
  /** Of a table of somebody else, which no plan writes. */
  foreign?: {
    owner: string;
    /** May foreign keys refer to it? */
    mayRefer: boolean;
    /** May it have triggers of ours? */
    mayFollow: boolean;
  };
}

/** A table that rows of the source, or of another parent, must refer to. */
export interface Parent {
  oid: number;
  /** As SQL writes it. */
  relation: string;
  columns: Column[];
}

/** Names that SQL, TypeScript and the shell all take as they are, in quotes at most. */
export const plainName = /^[\p{L}_][\p{L}\p{N}_ -]{0,62}$/u;

/** `public.users`, `public.User` or `public."User"`: the name of a table as it is, never folded. */
export function tableName(value: string, flag = 'source'): { schema: string; table: string } {
  const [, schema, table] = /^"?([^".]+)"?\."?([^".]+)"?$/.exec(value) ?? [];
  if (!schema || !table || !plainName.test(schema) || !plainName.test(table)) {
    throw new Problem(
      'no-table',
      `--${flag}: ${value} is not the name of a table.`,
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
  const [found] = await sql<
    {
      oid: number;
      relation: string;
      kind: string;
      partition: boolean;
      mayRead: boolean;
      role: string;
      foreign: Source['foreign'] | null;
    }[]
  >`
    select c.oid::int8::int4 as oid, format('%I.%I', n.nspname, c.relname) as relation, c.relkind as kind, c.relispartition as partition,
      has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as "mayRead", quote_ident(current_user) as role,
      case when not pg_has_role(c.relowner, 'usage') then jsonb_build_object('owner', c.relowner::regrole::text,
        'mayRefer', has_table_privilege(c.oid, 'references'), 'mayFollow', has_table_privilege(c.oid, 'trigger')) end as foreign
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relname = ${table}`;
  if (!found) throw await missing(sql, schema, table);
  if (!['r', 'p'].includes(found.kind) || found.partition) {
    throw new Problem(
      'unfit-table',
      `${name} is not a table.`,
      'Views and single partitions cannot be walked; name the table.',
    );
  }
  const { foreign } = found;
  if (foreign && !found.mayRead) {
    throw new Problem(
      'unfit-table',
      `${name} belongs to ${foreign.owner}, and you may not read it.`,
      `Walk a table of yours that refers to it; or, as ${foreign.owner}: grant select on ${found.relation} to ${found.role};`,
    );
  }
  const columns = await readColumns(sql, found.oid);
  const primaryKey = await readPrimaryKey(sql, found.oid);
  const keys = keyNames(keyName).map((one) => keyColumn(name, columns, one));
  const [key] = keys;
  const keyType = keyTypes.find((type) => type === plainType(key?.type));
  const unlike = keys.find(({ type }) => !fieldTypes.includes(plainType(type)));
  if (!key || unlike || (keys.length === 1 && !keyType)) {
    const { name: column, type } = unlike ?? key ?? { name: keyName, type: 'none' };
    throw new Problem(
      'bad-key',
      `${name}.${column} has type ${type}.`,
      `A key is one of: ${(keys.length > 1 ? fieldTypes : keyTypes).join(', ')}. Or add a column to walk by, which rewrites the table while nobody can use it: alter table ${found.relation} add walk_key bigint generated always as identity unique;`,
    );
  }
  if (!(await isUnique(sql, found.oid, ...keys.map((column) => column.name)))) throw notUnique();
  if (primaryKey.length === 0) {
    throw new Problem('unfit-table', `${name} has no primary key.`, 'Add one: the journal names rows by it.');
  }
  const parents = await readParents(sql, found.oid, columns);
  return {
    schema,
    table,
    relation: found.relation,
    keys,
    key,
    keyType: keyType ?? 'text',
    columns,
    primaryKey,
    parents,
    ...(foreign && { foreign }),
  };

  function notUnique(): Problem {
    const what =
      keys.length > 1
        ? `${name} has no unique index on (${keyNames(keyName).join(', ')}) in this order`
        : `${name}.${keyName} is not unique`;
    const whole = columnsOf(primaryKey);
    if (primaryKey.length > 1 && whole !== keyNames(keyName).join()) {
      return new Problem(
        'bad-key',
        `${what}: the primary key is (${primaryKey.join(', ')}).`,
        `Walk by all of it: --key ${whole.includes(' ') ? `"${whole}"` : whole}`,
      );
    }
    return new Problem(
      'bad-key',
      `${what}.`,
      `Name what is unique, or add a column: alter table ${found?.relation} add column walk_id bigint generated always as identity unique;`,
    );
  }
}

/** Names as SQL writes them, as --key takes them. */
const columnsOf = (names: readonly string[]): string => names.map((name) => name.replaceAll('"', '')).join();

/** `id`, or `organization_id,user_id`. */
export const keyNames = (list: string): string[] => list.split(',').map((name) => name.trim());

const plainType = (type = ''): string =>
  type
    .replace(/^character varying.*/, 'text')
    .replace(/^timestamp\(\d\)/, 'timestamp')
    .replace(/^numeric\(.*/, 'numeric');

function keyColumn(table: string, columns: readonly Column[], name: string): Column {
  const found = columns.find((column) => column.name === name);
  if (found) return found;
  throw new Problem(
    'bad-key',
    `${table} has no column ${name}.`,
    `--key names the column to walk by, or several with commas, of: ${columns.map((column) => column.name).join(', ')}.`,
  );
}

/** A column of another table, as a foreign key names it. */
export interface Referred {
  oid: number;
  /** As SQL writes it. */
  relation: string;
  column: Column;
}

/** The table as it is once a column of it has a foreign key: with the table that its rows refer to then. */
export async function referring(sql: Sql, source: Source, name: string, target: Referred): Promise<Source> {
  const refers = { relation: target.oid, column: target.column.name };
  const columns = source.columns.map((column) => (column.name === name ? { ...column, refers } : column));
  return (await sql.begin(async (tx) => {
    await tx`select set_config('search_path', '', true)`;
    const [own] = await tx<{ oid: number }[]>`select ${source.relation}::regclass::int8::int4 as oid`;
    // Made-up rows have values there, whether they must or not.
    const needed = columns.map((column) => (column.name === name ? { ...column, notNull: true } : column));
    return { ...source, columns, parents: await readParents(tx, own?.oid ?? 0, needed) };
  })) as Source;
}

/** The column that a foreign key refers to: one that is unique alone, of the primary key unless named. */
export async function readReferred(
  sql: Sql,
  name: string,
  column: string | undefined,
): Promise<Referred | undefined> {
  const { schema, table } = tableName(name, 'references');
  return (await sql.begin(async (tx) => {
    await tx`select set_config('search_path', '', true)`;
    const [found] = await tx<{ oid: number; relation: string; key: string | null }[]>`
      select c.oid::int8::int4 as oid, format('%I.%I', n.nspname, c.relname) as relation, (
        select a.attname from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where i.indrelid = c.oid and i.indisprimary and i.indnkeyatts = 1) as key
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ${schema} and c.relname = ${table} and c.relkind in ('r', 'p')`;
    if (!found) throw await missing(tx, schema, table);
    const { oid, relation } = found;
    const wanted = column ?? found.key;
    const referred = (await readColumns(tx, oid)).find((one) => one.name === wanted);
    if (!referred || !(await isUnique(tx, oid, referred.name))) return undefined;
    return { oid, relation, column: referred };
  })) as Referred | undefined;
}

async function missing(sql: ISql, schema: string, table: string): Promise<Problem> {
  const alike = await sql<{ name: string }[]>`
    select format('%s.%s', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and (n.nspname = ${schema} or lower(c.relname) = lower(${table}))
      and n.nspname !~ '^(pg_|information_schema|imago)'
    order by lower(c.relname) = lower(${table}) desc, 1
    limit 12`;
  const names = alike.map(({ name }) => name).join(', ');
  return new Problem(
    'no-table',
    `There is no table ${schema}.${table}.`,
    names
      ? `There are: ${names}. Names are taken as they are written.`
      : 'Write a migration that creates it. One that was made without comes into the project by: npx supabase db pull',
  );
}

/** The columns of a table, in their order. */
export async function readColumns(sql: ISql, relation: number): Promise<Column[]> {
  const rows = await sql`
    select
      a.attname as name, quote_ident(a.attname) as quoted, format_type(b.oid, case when t.typtype = 'd' then t.typtypmod else a.atttypmod end) as type,
      (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = b.oid) as labels,
      b.typnamespace = 'pg_catalog'::regnamespace or b.typtype = 'e' as known,
      a.attnotnull as "notNull",
      (select format('%I.%I', l.collnamespace::regnamespace, l.collname) from pg_collation l
       where l.oid = a.attcollation and a.attcollation <> t.typcollation) as collation, a.attgenerated <> '' as generated,
      a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false) as numbered,
      pg_get_expr(d.adbin, d.adrelid) as default,
      (select jsonb_build_object('relation', f.confrelid::int8, 'column', r.attname)
       from pg_constraint f join pg_attribute r on r.attrelid = f.confrelid and r.attnum = f.confkey[1]
       where f.conrelid = a.attrelid and f.contype = 'f' and f.conkey = array[a.attnum] limit 1) as refers
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${relation} and a.attnum > 0 and not a.attisdropped
    order by a.attnum`;
  return z.array(columnSchema).parse([...rows]);
}

/** Tables that rows of a table must refer to, and those that these must, each once. A table is no parent of itself. */
export async function readParents(sql: ISql, child: number, columns: readonly Column[]): Promise<Parent[]> {
  const found = new Map<number, Parent>();
  const visit = async (needed: readonly Column[], way: readonly number[]): Promise<void> => {
    for (const { notNull, refers } of needed) {
      if (!notNull || refers === null || way.includes(refers.relation) || found.has(refers.relation))
        continue;
      const [row] = await sql<{ relation: string }[]>`
        select format('%I.%I', n.nspname, c.relname) as relation
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = ${refers.relation}`;
      const own = await readColumns(sql, refers.relation);
      await visit(own, [...way, refers.relation]);
      found.set(refers.relation, { oid: refers.relation, relation: row?.relation ?? '', columns: own });
    }
  };
  await visit(columns, [child]);
  return [...found.values()];
}

async function isUnique(sql: ISql, relation: number, ...key: string[]): Promise<boolean> {
  const rows = await sql`
    select from pg_index i
    where i.indrelid = ${relation} and i.indisunique and i.indisvalid and i.indpred is null and ${key}::text[] = array(
      select a.attname::text from unnest(i.indkey) with ordinality k(attnum, place)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum where k.place <= i.indnkeyatts order by k.place)`;
  return rows.length > 0;
}

/** Its primary key, as SQL writes the names. */
export async function readPrimaryKey(sql: ISql, relation: number): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select quote_ident(a.attname) as name
    from pg_index i cross join lateral unnest(i.indkey) with ordinality k(attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = ${relation} and i.indisprimary and k.place <= i.indnkeyatts order by k.place`;
  return rows.map(({ name }) => name);
}
