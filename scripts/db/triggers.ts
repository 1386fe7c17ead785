/** The app's triggers, while rows are moved aside or put back. */
import type { TransactionSql } from 'postgres';
import { qualified, quote } from './names.ts';
import type { Relation } from './structure.ts';

/** Runs work on a table while its own triggers, which would touch the rows, look away. */
export async function withoutTriggers<T>(
  tx: TransactionSql,
  relation: Relation,
  work: () => Promise<T>,
): Promise<T> {
  const table = qualified(relation.schema, relation.name);
  const triggers = await tx<{ name: string; state: 'O' | 'R' | 'A' }[]>`
    select tgname::text as name, tgenabled as state from pg_trigger
    where tgrelid = ${relation.oid}::oid and not tgisinternal and tgenabled <> 'D'`;
  for (const { name } of triggers) await tx.unsafe(`alter table ${table} disable trigger ${quote(name)}`);
  const result = await work();
  // A deferred check that waits would keep the table from being altered.
  await tx.unsafe('set constraints all immediate');
  const how = { O: 'enable', R: 'enable replica', A: 'enable always' };
  for (const { name, state } of triggers)
    await tx.unsafe(`alter table ${table} ${how[state]} trigger ${quote(name)}`);
  return result;
}
