/** Where sequences stand. */
import type { TransactionSql } from 'postgres';
import type { Kept } from './attic.ts';
import { qualified } from './names.ts';
import type { Relation } from './structure.ts';

/** Where a sequence is, and whether that was given out. */
export async function positionOf(
  tx: TransactionSql,
  { schema, name }: Relation,
): Promise<{ last: string; called: boolean }> {
  const [position] = await tx.unsafe<{ last: string; called: boolean }[]>(
    `select last_value::text as last, is_called as called from ${qualified(schema, name)}`,
  );
  return position as { last: string; called: boolean };
}

/** Puts a sequence back to where it was; beside rows that are new, not behind where it is. */
export async function restorePosition(tx: TransactionSql, entry: Kept, isNew: boolean): Promise<void> {
  const { last, called } = entry.details;
  const name = qualified(entry.schema, entry.relation);
  const [there] = await tx<{ there: boolean }[]>`
    select exists (select from pg_class where oid = to_regclass(${name}) and relkind = 'S') as there`;
  if (!there?.there || last === undefined) return;
  await tx.unsafe(
    `select setval(s.seqrelid, $1::bigint, $2::boolean) from ${name} p, pg_sequence s
     where s.seqrelid = $3::regclass
       and not ($4::boolean and p.is_called and (p.last_value - $1::bigint) * sign(s.seqincrement) > 0)`,
    [last, called, name, isNew],
  );
}
