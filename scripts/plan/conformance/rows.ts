/** The app's tables, and every row in them. */
import type { Sql } from 'postgres';

/** Columns by table, as SQL writes their names. */
export type Columns = Record<string, string[]>;

/** Every row by table, as text, sorted. */
export type Rows = Record<string, string[]>;

/** Schemas of Supabase, of PostgreSQL and of Imago; those of plans are known by their registration. */
export const otherSchemas =
  '^(pg_|information_schema|imago|auth|storage|realtime|_?analytics|extensions|graphql|vault|cron|net|pgbouncer|pgmq|pgsodium|pgtle|supabase_)';

/** The app's tables with their columns. */
export async function appColumns(sql: Sql): Promise<Columns> {
  const tables = await sql<{ name: string; columns: string[] }[]>`
    select c.oid::regclass::text as name, array_agg(quote_ident(a.attname) order by a.attnum) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname !~ ${otherSchemas} and not exists (select from imago.plan p where p.name = n.nspname)
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

/** What `now` holds once a plan is back that made `after` of `before`: without what it has brought, with what it has taken away. */
export function withoutPlan(now: Rows, before: Rows, after: Rows): Rows {
  const tables = Object.entries(now).map(([table, rows]): [string, string[]] => {
    const gone = less(before[table] ?? [], after[table] ?? []);
    const made = less(after[table] ?? [], before[table] ?? []);
    return [table, [...less(rows, made), ...gone].toSorted()];
  });
  return Object.fromEntries(tables);
}

/** The rows of one list that are not in another, as often as they are there. */
function less(rows: string[], others: string[]): string[] {
  const left = new Map<string, number>();
  for (const row of others) left.set(row, (left.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const count = left.get(row) ?? 0;
    left.set(row, count - 1);
    return count <= 0;
  });
}

/** The same rows in an order of their own. */
export function sorted(rows: Rows): Rows {
  return Object.fromEntries(Object.entries(rows).map(([table, list]) => [table, list.toSorted()]));
}

/** One value: the first column of the first row. */
export async function value<T = unknown>(sql: Sql, query: string): Promise<T> {
  const [row] = await sql.unsafe(query);
  return Object.values(row ?? {})[0] as T;
}

/** How many rows that belong to no entity the journal of a plan has: each goes back like one. */
export async function sharedRows(sql: Sql, plan: string): Promise<number> {
  const undo = await sql<{ name: string }[]>`
    select undo_table as name from imago.plan_write where plan = ${plan} and entity_column is null and undo_table is not null`;
  let rows = 0;
  for (const { name } of undo)
    rows += await value<number>(sql, `select count(distinct entity)::int from imago_undo."${name}"`);
  return rows;
}
