/** The foreign keys between what comes back: they judge when all of it is there. */
import type { TransactionSql } from 'postgres';
import { quote } from './names.ts';

/** A table that rows, or values of some of its columns, come back to. */
export interface Touched {
  oid: string;
  /** The numbers of the columns; null where whole rows come back. */
  numbers: number[] | null;
}

export interface ForeignKey {
  name: string;
  /** Numbers and quoted names of the tables. */
  child: string;
  childName: string;
  parent: string;
  parentName: string;
  from: string[];
  to: string[];
  definition: string;
  comment: string | null;
  /** Whether it holds for the rows that were there when it was made. */
  validated: boolean;
  /** Whether rows or values come back on both of its sides, or it holds for new rows only. */
  inside: boolean;
}

/** Those that what comes back refers by, or is referred to by. */
export async function foreignKeysOf(tx: TransactionSql, touched: readonly Touched[]): Promise<ForeignKey[]> {
  return await tx<ForeignKey[]>`
    with touched as (
      select t.oid::oid as oid, t.numbers from jsonb_to_recordset(${JSON.stringify(touched)}::text::jsonb) as t(oid text, numbers int[])
    ),
    keys as (
      select k.*,
        exists (select from touched t where t.oid = k.conrelid and (t.numbers is null or not k.convalidated or t.numbers && k.conkey::int[])) as refers,
        exists (select from touched t where t.oid = k.confrelid and (t.numbers is null or t.numbers && k.confkey::int[])) as referred
      from pg_constraint k
      where k.contype = 'f' and k.conparentid = 0
    )
    select k.conname as name,
      k.conrelid::int8::text as child, format('%I.%I', cn.nspname, c.relname) as "childName",
      k.confrelid::int8::text as parent, format('%I.%I', pn.nspname, p.relname) as "parentName",
      array(select a.attname::text from unnest(k.conkey) with ordinality n(number, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.number order by n.place) as "from",
      array(select a.attname::text from unnest(k.confkey) with ordinality n(number, place)
        join pg_attribute a on a.attrelid = k.confrelid and a.attnum = n.number order by n.place) as "to",
      pg_get_constraintdef(k.oid) as definition,
      obj_description(k.oid, 'pg_constraint') as comment,
      k.convalidated as validated,
      k.referred or not k.convalidated as inside
    from keys k
    join pg_class c on c.oid = k.conrelid join pg_namespace cn on cn.oid = c.relnamespace
    join pg_class p on p.oid = k.confrelid join pg_namespace pn on pn.oid = p.relnamespace
    where k.refers or k.referred
    order by k.oid`;
}

/** A condition: the row whose columns these expressions give refers to one that is not there. */
export function isOrphan(key: ForeignKey, expression: (column: string) => string): string {
  const own = key.from.map(expression);
  const same = own.map((value, index) => `parent.${quote(key.to[index] ?? '')} = ${value}`);
  return `(${own.map((value) => `${value} is not null`).join(' and ')}
    and not exists (select from ${key.parentName} parent where ${same.join(' and ')}))`;
}
