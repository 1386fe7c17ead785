/** What keeps the type of a column from being changed, and which `supabase db diff` leaves in place. */
import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';
import { type Column, type Relation, readStructure } from './structure.ts';

const query = await readFile(new URL('./dependents.sql', import.meta.url), 'utf8');

/**
 * The statements that take out of the way, in the first database, policies, triggers, generated columns and functions that use
 * a column whose type is another one in the second. Where they have been run, what compares the two makes all of that again.
 */
export async function dropsOfDependents(from: Sql, to: Sql): Promise<string[]> {
  const [before, after] = [await readStructure(from), await readStructure(to)];
  const changed = [...before.values()].flatMap((relation) => changedColumns(relation, [...after.values()]));
  if (changed.length === 0) return [];
  const columns = changed.map(({ relation, column }) => ({ relation: relation.oid, number: column.number }));
  const types = changed.flatMap(({ column }) => (column.labels ? [column.typeId] : []));
  const rows = await from.begin(async (tx) => {
    await tx`select set_config('search_path', '', true)`;
    return await tx.unsafe<{ statement: string }[]>(query, [JSON.stringify(columns), types]);
  });
  return rows.map(({ statement }) => statement);
}

function changedColumns(
  relation: Relation,
  others: readonly Relation[],
): { relation: Relation; column: Column }[] {
  const other = others.find(({ schema, name }) => schema === relation.schema && name === relation.name);
  return relation.columns.flatMap((column) => {
    const now = other?.columns.find(({ name }) => name === column.name);
    return now && (now.type !== column.type || isRebuilt(column.labels, now.labels))
      ? [{ relation, column }]
      : [];
  });
}

/** Values can be added to an enum as it is; to take one away, or to reorder them, it is made again. */
function isRebuilt(before: readonly string[] | null, after: readonly string[] | null): boolean {
  if (before === null || after === null) return before !== after;
  const kept = after.filter((value) => before.includes(value));
  return kept.join('\n') !== before.join('\n');
}
