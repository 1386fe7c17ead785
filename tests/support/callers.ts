import type { Sql } from 'postgres';

export { callAtOnce, callUntilDone, total } from '../../scripts/plan/conformance/callers.ts';

/**
 * Has the rows of a table, the users of the sample app, pass for forty thousand when a run is cut into lanes, so that a
 * small app gets as many as a large one. By a trigger, for building an index puts the number right again, and as a
 * superuser, for it is the catalogue's.
 */
export async function passForLarge(
  superuser: Sql,
  tables: readonly string[] = ['public.users'],
): Promise<void> {
  const alter = tables.map((table) => `alter table ${table} set (autovacuum_enabled = false);`);
  const names = tables.map((table) => `'${table}'::regclass`);
  await superuser.unsafe(`
    ${alter.join('\n')}
    create function public.pass_for_large() returns trigger language plpgsql security definer as $$
    begin
      update pg_class set reltuples = 40000 where oid in (${names.join(', ')});
      return null;
    end
    $$;
    create trigger pass_for_large after update of prepared_at on imago.plan
      for each row execute function public.pass_for_large()`);
}
