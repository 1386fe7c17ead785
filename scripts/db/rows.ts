/** Rows of tables, and how they are found again. */
import { qualified, quote } from './names.ts';
import type { Column, Relation } from './structure.ts';

/** The columns of a key, of the table that has this number. */
export interface Key {
  oid: string;
  columns: readonly { number: number; name: string }[];
}

/** The rows of a table in SQL. Those of a child are not its parent's; those of a partition are. */
export function ownRows(relation: Relation): string {
  return `${relation.kind === 'p' ? '' : 'only '}${qualified(relation.schema, relation.name)}`;
}

/** A column by its number, whatever it is called; by its name where its table was made anew. */
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
export function sameKey({ oid, columns }: Key, relation: Relation, { row = 't', attic = 'a' } = {}): string {
  return columns
    .map((part, index) => {
      const column = findColumn(relation, oid, part);
      return `${row}.${quote(column?.name ?? part.name)} = ${attic}.key_${index}${column ? `::${column.type}` : ''}`;
    })
    .join(' and ');
}
