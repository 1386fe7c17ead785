/** What stands on tables and would touch or hide rows, while these are moved aside or put back. */
import type { TransactionSql } from 'postgres';
import type { Relation } from './structure.ts';

interface Switch {
  off: string;
  on: string;
}

/** Runs work while triggers, rules and forced policies of tables and of what is below them look away. */
export async function quietly<T>(
  tx: TransactionSql,
  relations: readonly Pick<Relation, 'oid'>[],
  work: () => Promise<T>,
  { triggers = true }: { triggers?: boolean } = {},
): Promise<T> {
  // A deferred check that waits would keep a table from being altered.
  await tx.unsafe('set constraints all immediate');
  const switches = await switchesOf(tx, relations, triggers);
  for (const { off } of switches) await tx.unsafe(off);
  const result = await work();
  await tx.unsafe('set constraints all immediate');
  for (const { on } of switches) await tx.unsafe(on);
  return result;
}

async function switchesOf(
  tx: TransactionSql,
  relations: readonly Pick<Relation, 'oid'>[],
  triggers: boolean,
): Promise<Switch[]> {
  return await tx<Switch[]>`
    with recursive family as (
      select unnest(${relations.map(({ oid }) => oid)}::text[])::oid as oid
      union
      select i.inhrelid from pg_inherits i join family f on f.oid = i.inhparent
    ),
    named as (
      select f.oid, format('alter table only %I.%I ', n.nspname, c.relname) as alter, c.relforcerowsecurity
      from family f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace
    )
    select alter || format('disable trigger %I', tgname) as off,
      alter || format('enable %s trigger %I', case tgenabled when 'R' then 'replica' when 'A' then 'always' end, tgname) as on
    from named join pg_trigger on tgrelid = named.oid
    where not tgisinternal and tgenabled <> 'D' and ${triggers}
    union all
    select alter || format('disable rule %I', rulename),
      alter || format('enable %s rule %I', case ev_enabled when 'R' then 'replica' when 'A' then 'always' end, rulename)
    from named join pg_rewrite on ev_class = named.oid
    where ev_enabled <> 'D' and ${triggers}
    union all
    select alter || 'no force row level security', alter || 'force row level security'
    from named where relforcerowsecurity`;
}
