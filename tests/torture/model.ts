/** What the app's tables must hold, kept beside the database by the writers: the answer that it is compared with. */
import type { ISql, Sql } from 'postgres';
import { otherSchemas } from '../../scripts/plan/conformance/rows.ts';

/** A row as JSON has it, by column. */
export type Row = Record<string, unknown>;

/** The rows of a table by the text of their key. */
export type Rows = Map<string, Row>;

interface Table {
  /** As SQL writes it. */
  name: string;
  key: string;
  columns: string[];
}

/** The app's tables as they were before there was a plan, with every row in them. */
export class Model {
  readonly #tables = new Map<string, Table>();
  readonly #rows = new Map<string, Rows>();

  /** Reads what is there before anybody writes. */
  static async read(sql: Sql): Promise<Model> {
    const model = new Model();
    const tables = await sql<{ short: string; name: string; key: string; columns: string[] }[]>`
      select c.relname as short, c.oid::regclass::text as name, k.attname as key, jsonb_agg(a.attname order by a.attnum) as columns
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_index i on i.indrelid = c.oid and i.indisprimary
      join pg_attribute k on k.attrelid = c.oid and k.attnum = i.indkey[0]
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relkind = 'r' and n.nspname !~ ${otherSchemas} and n.nspname <> 'torture'
        and not exists (select from imago.plan p where p.name = n.nspname)
      group by c.oid, n.nspname, k.attname`;
    for (const { short, ...table } of tables) {
      model.#tables.set(short, table);
      model.#rows.set(short, await model.#stored(sql, table, 'true'));
    }
    return model;
  }

  /** The rows that a table must have. */
  rows(table: string): Rows {
    const rows = this.#rows.get(table);
    if (!rows) throw new Error(`the app has no table ${table}`);
    return rows;
  }

  /** Takes a row over as the app was told that it is; columns that the app did not have are left out. */
  put(table: string, row: Row): void {
    const { key, columns } = this.#table(table);
    this.rows(table).set(String(row[key]), pick(row, columns));
  }

  /** Compares every row of every table; `mine` are conditions by table for the rows that are the app's. */
  async differences(
    sql: Sql,
    mine: Record<string, string> = {},
  ): Promise<{ compared: number; wrong: string[] }> {
    let compared = 0;
    const wrong: string[] = [];
    for (const [short, table] of this.#tables) {
      const stored = await this.#stored(sql, table, mine[short] ?? 'true');
      compared += stored.size;
      wrong.push(...unlike(table.name, this.rows(short), stored));
    }
    return { compared, wrong };
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw new Error(`the app has no table ${name}`);
    return table;
  }

  async #stored(sql: Sql, { name, key, columns }: Table, condition: string): Promise<Rows> {
    const rows = await sql.unsafe<{ row: Row }[]>(
      `select to_jsonb(t) as row from ${name} t where ${condition}`,
    );
    return new Map(rows.map(({ row }) => [String(row[key]), pick(row, columns)]));
  }
}

/** The rows of a table by key, as they are. */
export async function storedRows(sql: ISql, table: string, key: string, condition = 'true'): Promise<Rows> {
  const rows = await sql.unsafe<{ row: Row }[]>(
    `select to_jsonb(t) as row from ${table} t where ${condition}`,
  );
  return new Map(rows.map(({ row }) => [String(row[key]), row]));
}

/** What differs between the rows that must be and those that are: names and keys, for the values can be looked up. */
export function unlike(table: string, wanted: Rows, found: Rows): string[] {
  const wrong: string[] = [];
  for (const [key, row] of wanted) {
    const other = found.get(key);
    if (!other) {
      wrong.push(`${table} ${key} is missing`);
      continue;
    }
    const columns = Object.keys(row).filter((column) => !same(row[column], other[column]));
    if (columns.length > 0) wrong.push(`${table} ${key} has another ${columns.join(', ')}`);
  }
  for (const key of found.keys()) if (!wanted.has(key)) wrong.push(`${table} ${key} should not be there`);
  return wrong;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}

function pick(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}
