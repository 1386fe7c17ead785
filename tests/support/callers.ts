import type { Sql } from 'postgres';

export { callAtOnce, callUntilDone, total } from '../../scripts/plan/conformance/callers.ts';

/**
 * Has the users of the sample app pass for forty thousand when a run is cut into lanes, so that a small app gets as many
 * as a large one. By a trigger, for building an index puts the number right again, and as a superuser, for it is the
 * catalogue's.
 */
export async function passForLarge(superuser: Sql): Promise<void> {
  await superuser.unsafe(`
    alter table public.users set (autovacuum_enabled = false);
    create function public.pass_for_large() returns trigger language plpgsql security definer as $$
    begin
      update pg_class set reltuples = 40000 where oid = 'public.users'::regclass;
      return null;
    end
    $$;
    create trigger pass_for_large after update of prepared_at on imago.plan
      for each row execute function public.pass_for_large()`);
}
