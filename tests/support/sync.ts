import type { Sql } from 'postgres';

/** Switches the sync triggers of a plan off or on, as the owner of the tables can. */
async function switchSync(sql: Sql, plan: string, how: 'enable' | 'disable'): Promise<void> {
  const triggers = await sql<{ relation: string; name: string }[]>`
    select tgrelid::regclass::text as relation, tgname as name from pg_trigger
    where tgfoid::regproc::text ~ ${`^imago_undo\\.${plan}_(sync|fill)_[0-9]+$`} and tgparentid = 0 order by tgname`;
  for (const { relation, name } of triggers) {
    await sql.unsafe(`alter table ${relation} ${how} trigger "${name}"`);
  }
}

/**
 * Leaves the app's writes to the next run from now on, as in a plan without sync: for tests of what batches do with rows
 * that arrive behind them.
 */
export async function stopSync(sql: Sql, plan = 'avatars'): Promise<void> {
  await switchSync(sql, plan, 'disable');
}

/** Has sync follow the app's writes again. */
export async function resumeSync(sql: Sql, plan = 'avatars'): Promise<void> {
  await switchSync(sql, plan, 'enable');
}

/** Syncs that have failed, without what differs from test to test. */
export const failedSyncs = async (sql: Sql) => [
  ...(await sql`
    select coalesce(detail -> 'keys', to_jsonb(array[entity])) as entities, sqlstate,
      detail ->> 'sync' as sync, detail ->> 'constraint' as constraint
    from imago.log where event = 'sync_failed' order by id`),
];
