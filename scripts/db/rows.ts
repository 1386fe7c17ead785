/** Rows of tables, and how they are found again. */
import { qualified, quote } from './names.ts';
import type { Relation } from './structure.ts';

/** The rows of a table in SQL. Those of a child are not its parent's; those of a partition are. */
export function ownRows(relation: Relation): string {
  return `${relation.kind === 'p' ? '' : 'only '}${qualified(relation.schema, relation.name)}`;
}

/** Joins an attic's table `a` with its table `t`, whose key may have got other names and types meanwhile. */
export function sameKey(
  key: readonly { number: number; name: string }[],
  relation: Relation,
  { row = 't', attic = 'a' } = {},
): string {
  return key
    .map(({ number, name }, index) => {
      const column =
        relation.columns.find((other) => other.number === number) ??
        relation.columns.find((other) => other.name === name);
      return `${row}.${quote(column?.name ?? name)} = ${attic}.key_${index}${column ? `::${column.type}` : ''}`;
    })
    .join(' and ');
}
