/** How SQL names, finds and compares the rows that a plan walks: by one column, or by several as one record. */
import type { Column, Source } from './source.ts';

/** What the files of a plan say of its keys. In each expression the row is called as it is given, s or n. */
export interface Walk {
  /** The key as imago.plan and what refers to it have it. */
  column: string;
  /** The type of one key. */
  type: string;
  /** What schema.sql makes besides the plan. */
  made: string;
  /** The key of a row: one value. */
  of(row: string): string;
  /** The same as text, wherever it is asked. */
  text(row: string): string;
  /** Whether a row has one of the keys that apply was given, also where the table has a column keys. */
  among(row: string): string;
  /** Whether two rows have the same key. */
  same(row: string, other: string): string;
  /** The columns, to be selected or sorted by. */
  list(row?: string): string;
  /** The columns, to be compared with as many of a query. */
  tuple(row?: string): string;
}

/** The type of a field: text for what is kept as text. */
const fieldType = ({ type, collation }: Column): string =>
  `${type.replace(/^character varying.*/, 'text')}${collation === null ? '' : ` collate ${collation}`}`;

export function walkOf(plan: string, { keys, relation }: Source): Walk {
  const columns = (row?: string) => keys.map(({ quoted }) => (row ? `${row}.${quoted}` : quoted)).join(', ');
  const [key] = keys;
  if (keys.length === 1 && key) {
    return {
      column: key.name,
      type: fieldType(key),
      made: '',
      of: columns,
      text: (row) => `${columns(row)}::text`,
      among: (row) => `${columns(row)} = any (apply.keys)`,
      same: (row, other) => `${columns(row)} = ${columns(other)}`,
      list: columns,
      tuple: columns,
    };
  }
  const type = `${plan}.key`;
  const fields = keys.map((column) => `  ${column.quoted} ${fieldType(column)}`);
  return {
    column: `{${keys.map(({ name }) => (/^[a-z_][a-z0-9_]*$/.test(name) && name !== 'null' ? name : `"${name}"`)).join(',')}}`,
    type,
    made: `create type ${type} as (\n${fields.join(',\n')}\n);\ncomment on type ${type} is 'Key of a row of ${relation.replaceAll("'", "''")}.';\n`,
    of: (row) => `row(${columns(row)})::${type}`,
    text: (row) => `row(${columns(row)})::text`,
    among: (row) => `(${columns(row)}) in (select ${columns('k')} from unnest(apply.keys) k)`,
    same: (row, other) => `(${columns(row)}) = (${columns(other)})`,
    list: columns,
    tuple: (row) => `(${columns(row)})`,
  };
}
