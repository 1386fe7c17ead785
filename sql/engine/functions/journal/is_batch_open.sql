create or replace function imago.is_batch_open(plan text default null, capturing boolean default false)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- The plan, the batch's number and, in a rollback, the word back or, in its last pass, side.
  named text[] := regexp_match(current_setting('imago.batch', true), '^([a-z0-9_]+):([0-9]{1,18})(?::back|:side)?$');
begin
  if named is null or named[1] <> is_batch_open.plan then
    return false;
  end if;
  return exists (
    select from imago.batch b
    where b.id = named[2]::bigint
      and b.plan = named[1]
      and b.xid = pg_current_xact_id_if_assigned()
      and b.ms is null
      -- In a rollback the capture triggers look only at what triggers of the app write (imago.back).
      and (not capturing or b.direction = 'rollback' or b.journaled));
end
$$;
comment on function imago.is_batch_open(text, boolean) is 'Whether the setting imago.batch names a batch of this plan that this very transaction opened and has not ended. Any role can set a setting; nobody can forge the row. Without a plan: a batch of whatever plan.';
