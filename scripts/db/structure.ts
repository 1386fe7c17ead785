/** Tables by their numbers, and what a statement did to those that were there before it. */
import { readFile } from 'node:fs/promises';
import type { Sql, TransactionSql } from 'postgres';

export interface Column {
  number: number;
  name: string;
  type: string;
  typeId: string;
  /** Whether its values are kept as text: its type may go, too. */
  asText: boolean;
  /** The values of an enum, or of an array's enum. */
  labels: string[] | null;
  /** The attributes of a composite type, or of an array's, each with its type. */
  attributes: string[] | null;
  notNull: boolean;
  /** By a default, an identity or an expression. */
  filled: boolean;
  generated: boolean;
}

export interface Relation {
  oid: string;
  schema: string;
  name: string;
  /** Table, partitioned table or sequence. */
  kind: 'r' | 'p' | 'S';
  /** Its file on disk: another one after it was rewritten. */
  file: string;
  /** The table of which it is a partition. */
  parent: string | null;
  /** The columns of the primary key. */
  key: string[];
  columns: Column[];
}

/** Relations by number. */
export type Structure = Map<string, Relation>;

/** What happened to something that was there before. */
export type Effect =
  | { kind: 'table-lost' | 'sequence-lost'; relation: Relation }
  | { kind: 'table-rewritten'; relation: Relation; file: string }
  | { kind: 'column-lost'; relation: Relation; column: Column }
  | { kind: 'type-changed'; relation: Relation; column: Column; to: Column }
  /** A column that must have a value and has none for the rows that are there: a new one, or one that could be null. */
  | { kind: 'value-needed'; relation: Relation; column: Column; isNew: boolean };

const query = await readFile(new URL('./structure.sql', import.meta.url), 'utf8');

export async function readStructure(sql: Sql | TransactionSql): Promise<Structure> {
  const rows = await sql.unsafe<Relation[]>(query);
  return new Map(rows.map((row) => [row.oid, row]));
}

/** What has become of the first structure in the second. */
export function compareStructures(before: Structure, after: Structure): Effect[] {
  return [...before.values()].flatMap((relation): Effect[] => {
    const now = after.get(relation.oid);
    if (!now) return [{ kind: relation.kind === 'S' ? 'sequence-lost' : 'table-lost', relation }];
    const rewritten: Effect[] =
      relation.kind === 'r' && now.file !== relation.file
        ? [{ kind: 'table-rewritten', relation, file: now.file }]
        : [];
    return [...rewritten, ...columnEffects(relation, now)];
  });
}

/** What a composite type has no more, or as another type. */
export function lostAttributes(column: Column, to: Column): string[] {
  const left = to.attributes;
  return left === null ? [] : (column.attributes ?? []).filter((attribute) => !left.includes(attribute));
}

function columnEffects(relation: Relation, now: Relation): Effect[] {
  const old = relation.columns.flatMap((column): Effect[] => {
    const to = now.columns.find(({ number }) => number === column.number);
    if (!to) return [{ kind: 'column-lost', relation, column }];
    const changed: Effect[] =
      to.type === column.type && to.typeId === column.typeId && lostAttributes(column, to).length === 0
        ? []
        : [{ kind: 'type-changed', relation, column, to }];
    const needed: Effect[] =
      to.notNull && !column.notNull
        ? [{ kind: 'value-needed', relation: now, column: to, isNew: false }]
        : [];
    return [...changed, ...needed];
  });
  const known = new Set(relation.columns.map(({ number }) => number));
  const needed = now.columns
    .filter(({ number, notNull, filled }) => !known.has(number) && notNull && !filled)
    .map((column): Effect => ({ kind: 'value-needed', relation: now, column, isNew: true }));
  return [...old, ...needed];
}
