/** Enum values that a way back takes out of their type, while rows hold them. */
import type { TransactionSql } from 'postgres';
import { qualified, quote, readable } from './names.ts';
import { Problem } from './problem.ts';
import { quietly } from './quiet.ts';
import { lostLabels, nameOf } from './risks.ts';
import { type Column, type Effect, type Relation, readStructure } from './structure.ts';

/** A column whose type loses values. */
interface Losing {
  relation: Relation;
  column: Column;
  /** The values that go. */
  values: string[];
}

/**
 * Gives rows that hold such a value their column's default instead, else null; they have been moved aside before.
 * Refuses where neither can be. Tells whether there were any.
 */
export async function replaceLostValues(tx: TransactionSql, effects: readonly Effect[]): Promise<boolean> {
  const structure = [...(await readStructure(tx)).values()];
  let replaced = 0;
  for (const { relation, column, values } of effects.flatMap(losing)) {
    const table = structure.find(({ schema, name }) => schema === relation.schema && name === relation.name);
    if (table?.columns.some(({ name }) => name === column.name))
      replaced += await replace(tx, { relation: table, column, values });
  }
  return replaced > 0;
}

/** Values of generated columns follow from others. */
function losing(effect: Effect): Losing[] {
  if (effect.kind !== 'type-changed' || effect.column.generated) return [];
  const { relation, column } = effect;
  const values = lostLabels(effect);
  return values.length > 0 ? [{ relation, column, values }] : [];
}

async function replace(tx: TransactionSql, losing: Losing): Promise<number> {
  const { relation, column, values } = losing;
  const name = quote(column.name);
  const table = qualified(relation.schema, relation.name);
  // An array of arrays is searched as a whole, so that this is the same for values and for arrays of them.
  const holds = (expression: string) => `coalesce(array[${expression}]::text[] && $1, false)`;
  const [held] = await tx.unsafe<{ rows: string }[]>(
    `select count(*) as rows from ${table} where ${holds(name)}`,
    [values],
  );
  const rows = Number(held?.rows ?? 0);
  if (rows === 0) return 0;
  if (await isInKey(tx, relation, column.name)) throw isHeld(losing, rows, 'it is part of a key');
  const preset = await defaultOf(tx, relation, column.name);
  const [usable] = preset
    ? await tx.unsafe<{ usable: boolean }[]>(
        `select ${preset} is not null and not ${holds(preset)} as usable`,
        [values],
      )
    : [];
  if (!usable?.usable && column.notNull)
    throw isHeld(losing, rows, 'it must have a value and has no default that stays');
  await quietly(tx, [relation], () =>
    tx.unsafe(`update ${table} set ${name} = ${usable?.usable ? 'default' : 'null'} where ${holds(name)}`, [
      values,
    ]),
  );
  return rows;
}

function isHeld({ relation, column, values }: Losing, rows: number, why: string): Problem {
  const object = `${nameOf(relation)}.${readable(column.name)}`;
  const others = values.length === 1 ? `the value ${values[0]}` : `one of the values ${values.join(', ')}`;
  return new Problem(
    'value-held',
    `${rows} ${rows === 1 ? 'row' : 'rows'} of ${nameOf(relation)} ${rows === 1 ? 'holds' : 'hold'} ${others} in ${object}, which the older type does not have, and they cannot get another one: ${why}.`,
    'Change these rows first, or say in the way back what becomes of them. Nothing was changed.',
  );
}

/** Primary keys, unique indexes and foreign keys that refer to it. */
async function isInKey(tx: TransactionSql, { oid }: Relation, column: string): Promise<boolean> {
  const found = await tx`
    select from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = ${oid}::oid and i.indisunique and a.attname = ${column} limit 1`;
  return found.length > 0;
}

async function defaultOf(tx: TransactionSql, { oid }: Relation, column: string): Promise<string | undefined> {
  const [row] = await tx<{ expression: string }[]>`
    select pg_get_expr(d.adbin, d.adrelid) as expression from pg_attrdef d
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where d.adrelid = ${oid}::oid and a.attname = ${column}`;
  return row?.expression;
}
