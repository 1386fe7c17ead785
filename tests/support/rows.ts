import type { Sql } from 'postgres';

/** Columns by table, as SQL writes their names. */
export type Columns = Record<string, string[]>;

/** Every row by table, as text, sorted. */
export type Rows = Record<string, string[]>;

/** The app's tables with their columns: those of schema public and of one more schema. */
export async function appColumns(sql: Sql, schema = 'public'): Promise<Columns> {
  const tables = await sql<{ name: string; columns: string[] }[]>`
    select c.oid::regclass::text as name, array_agg(quote_ident(a.attname) order by a.attnum) as columns
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace in ('public'::regnamespace, ${schema}::regnamespace) and c.relkind in ('r', 'p') and not c.relispartition
    group by c.oid
    order by c.oid`;
  return Object.fromEntries(tables.map(({ name, columns }) => [name, columns]));
}

/** What these columns hold; of a table named in `except` only the rows for which its condition does not hold. */
export async function rowsOf(sql: Sql, columns: Columns, except: Record<string, string> = {}): Promise<Rows> {
  const rows: Rows = {};
  for (const [table, names] of Object.entries(columns)) {
    const found = await sql.unsafe<{ row: string }[]>(
      `select row(${names.join(', ')})::text as row from ${table} where (${except[table] ?? 'false'}) is not true order by row(${names.join(', ')})::text collate "C"`,
    );
    rows[table] = found.map(({ row }) => row);
  }
  return rows;
}
