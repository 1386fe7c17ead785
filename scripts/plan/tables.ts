/** The app's tables in the scratch database: what they are, what they hold, and what is done to them. */
import type { ISql } from 'postgres';
import { otherSchemas } from './conformance/rows.ts';

/** Files of the app's tables by name: a table that is rewritten gets another one. */
export async function tableFiles(sql: ISql): Promise<Map<string, string>> {
  const rows = await sql<{ name: string; file: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name, coalesce(pg_relation_filenode(c.oid), 0)::text as file
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not exists (select from imago.plan p where p.name = n.nspname)
      and n.nspname !~ ${otherSchemas}`;
  return new Map(rows.map(({ name, file }) => [name, file]));
}

/** A checksum of every row of the app's tables. */
export async function tableSums(sql: ISql): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const table of (await tableFiles(sql)).keys()) {
    const [row] = await sql.unsafe<{ sum: string }[]>(
      `select md5(coalesce(string_agg(t::text, '' order by t::text collate "C"), '')) as sum from ${table} t`,
    );
    sums[table] = row?.sum ?? '';
  }
  return sums;
}

/** Rows of the app's tables that this transaction has read and written so far, by table. */
export interface Counts {
  read: Record<string, number>;
  written: Record<string, number>;
}

/** Within a transaction: what was read and written in it. */
export async function rowCounts(sql: ISql): Promise<Counts> {
  const rows = await sql<{ name: string; read: number; written: number }[]>`
    select format('%I.%I', s.schemaname, s.relname) as name,
      (coalesce(s.seq_tup_read, 0) + coalesce(s.idx_tup_fetch, 0))::int as read,
      (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::int as written
    from pg_stat_xact_user_tables s
    where s.schemaname not in ('imago', 'imago_undo', 'auth')`;
  return {
    read: Object.fromEntries(rows.map(({ name, read }) => [name, read])),
    written: Object.fromEntries(rows.map(({ name, written }) => [name, written])),
  };
}

/** What came between two counts: only tables of which there is something. */
export function difference(
  after: Record<string, number>,
  before: Record<string, number>,
): Record<string, number> {
  const rest = Object.entries(after).map(([table, count]): [string, number] => [
    table,
    count - (before[table] ?? 0),
  ]);
  return Object.fromEntries(rest.filter(([, count]) => count > 0));
}
