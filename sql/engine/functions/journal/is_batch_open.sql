create or replace function imago.is_batch_open(capturing boolean default false)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  named text := current_setting('imago.batch', true);
begin
  if named !~ '^[0-9]{1,18}$' then
    return false;
  end if;
  return exists (
    select from imago.batch b
    where b.id = named::bigint
      and b.xid = pg_current_xact_id_if_assigned()
      and b.ms is null
      and (not capturing or (b.journaled and b.direction = 'forward')));
end
$$;
comment on function imago.is_batch_open(boolean) is 'Whether the setting imago.batch names a batch that this very transaction opened and has not ended. Any role can set a setting; nobody can forge the row.';
