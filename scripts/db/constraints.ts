/** Constraints and indexes that are taken away while values come back, and made again as they were. */
import type { TransactionSql } from 'postgres';
import type { ForeignKey } from './foreign-keys.ts';
import { literal, quote } from './names.ts';

/** Something with the statements that take it away and make it again. */
export interface Removable {
  drop: string;
  make: string[];
}

export function removableKey({ name, childName, definition, comment }: ForeignKey): Removable {
  const constraint = `constraint ${quote(name)}`;
  return {
    drop: `alter table ${childName} drop ${constraint}`,
    make: [
      `alter table ${childName} add ${constraint} ${definition}`,
      ...(comment === null ? [] : [`comment on ${constraint} on ${childName} is ${literal(comment)}`]),
    ],
  };
}

/** Checks of tables that hold for new rows only: those that come back may have been there before them. */
export async function checksOfNewRows(
  tx: TransactionSql,
  relations: readonly string[],
): Promise<Removable[]> {
  const rows = await tx<{ table: string; name: string; definition: string; comment: string | null }[]>`
    select format('%I.%I', n.nspname, c.relname) as table, quote_ident(k.conname) as name,
      pg_get_constraintdef(k.oid) as definition, obj_description(k.oid, 'pg_constraint') as comment
    from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
    where k.contype = 'c' and not k.convalidated and k.coninhcount = 0 and k.conrelid = any ((${[...relations]}::text[])::oid[])
    order by k.oid`;
  return rows.map(({ table, name, definition, comment }) => ({
    drop: `alter table ${table} drop constraint ${name}`,
    make: [
      `alter table ${table} add constraint ${name} ${definition}`,
      ...(comment === null ? [] : [`comment on constraint ${name} on ${table} is ${literal(comment)}`]),
    ],
  }));
}

/** What asks of columns that their values differ: constraints and indexes, of which one row meets another on the way. */
export async function uniqueOver(
  tx: TransactionSql,
  relation: string,
  numbers: readonly number[],
): Promise<Removable[]> {
  const rows = await tx<
    {
      table: string;
      schema: string;
      name: string;
      constraint: string | null;
      index: string;
      comment: string | null;
      clustered: boolean;
      identity: boolean;
    }[]
  >`
    select format('%I.%I', n.nspname, c.relname) as table, quote_ident(n.nspname) as schema, quote_ident(x.relname) as name,
      pg_get_constraintdef(k.oid) as constraint, pg_get_indexdef(i.indexrelid) as index,
      coalesce(obj_description(k.oid, 'pg_constraint'), obj_description(i.indexrelid, 'pg_class')) as comment,
      i.indisclustered as clustered, i.indisreplident as identity
    from pg_index i
    join pg_class x on x.oid = i.indexrelid
    join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
    left join pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
    where i.indrelid = ${relation}::oid and not x.relispartition
      and (i.indisunique or i.indisexclusion) and (i.indexprs is not null or i.indkey::int2[]::int[] && ${[...numbers]}::int[])`;
  return rows.map(({ table, schema, name, constraint, index, comment, clustered, identity }) => {
    const on = constraint === null ? `index ${schema}.${name}` : `constraint ${name} on ${table}`;
    return {
      drop:
        constraint === null ? `drop index ${schema}.${name}` : `alter table ${table} drop constraint ${name}`,
      make: [
        constraint === null ? index : `alter table ${table} add constraint ${name} ${constraint}`,
        ...(comment === null ? [] : [`comment on ${on} is ${literal(comment)}`]),
        ...(clustered ? [`alter table ${table} cluster on ${name}`] : []),
        ...(identity ? [`alter table ${table} replica identity using index ${name}`] : []),
      ],
    };
  });
}

/** Runs work without these, and makes them again; gives what the rows do not fit. */
export async function makeAgain(tx: TransactionSql, removed: readonly Removable[]): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const { make } of removed) {
    await tx.unsafe('savepoint make_again');
    try {
      for (const statement of make) await tx.unsafe(statement);
    } catch (error) {
      if (!isAboutRows(error)) throw error;
      failures.push(error);
      await tx.unsafe('rollback to savepoint make_again');
    }
    await tx.unsafe('release savepoint make_again');
  }
  return failures;
}

/** A value does not fit its type, or a row a constraint. */
export function isAboutRows(error: unknown): boolean {
  return /^(22|23)/.test((error as { code?: string }).code ?? '');
}
