/** Rows of tables, and how they are found again. */
import { qualified, quote } from './names.ts';
import type { Column, Relation } from './structure.ts';

/** The columns of a key, of the table that has this number. */
export interface Key {
  oid: string;
  columns: readonly { number: number; name: string }[];
  /** Whether these are all that its rows have, as no fewer tell them apart: the attic holds a print of them. */
  isWhole?: boolean | undefined;
}

/** The rows of a table in SQL. Those of a child are not its parent's; those of a partition are. */
export function ownRows(relation: Relation): string {
  return `${relation.kind === 'p' ? '' : 'only '}${qualified(relation.schema, relation.name)}`;
}

/** A column by its number, whatever it is called; by its name where its table was made again. */
export function findColumn(
  relation: Relation,
  oid: string,
  { number, name }: { number: number | undefined; name: string | null },
): Column | undefined {
  return relation.columns.find((column) =>
    relation.oid === oid ? column.number === number : column.name === name,
  );
}

/** Joins an attic's table `a` with its table `t`, whose key may have got other names and types meanwhile. */
export function sameKey(key: Key, relation: Relation, { row = 't', attic = 'a' } = {}): string {
  const { oid, columns, isWhole } = key;
  if (isWhole) return `${printOf(namesOf(key, relation), row)} = ${attic}.key_0`;
  return columns
    .map((part, index) => {
      const column = findColumn(relation, oid, part);
      return `${row}.${quote(column?.name ?? part.name)} = ${attic}.key_${index}${column ? `::${column.type}` : ''}`;
    })
    .join(' and ');
}

/** What the columns of a key are called now. */
export function namesOf({ oid, columns }: Key, relation: Relation): string[] {
  return columns.map((part) => findColumn(relation, oid, part)?.name ?? part.name);
}

/** A print of what a row has in these columns. */
export function printOf(columns: readonly string[], row = 't'): string {
  return `md5(row(${columns.map((name) => `${row}.${quote(name)}`).join(', ')})::text)`;
}
