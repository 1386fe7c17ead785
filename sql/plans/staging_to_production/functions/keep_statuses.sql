create or replace function staging_to_production.keep_statuses()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not staging_to_production.has_column('public."Booking"', 'oldStatus') then
    return;
  end if;
  create table if not exists staging_to_production.kept_status (id text primary key, status text);
  comment on table staging_to_production.kept_status is 'Bookings whose status was none and became SCHEDULED, with what it was. Clean-up drops it.';
  execute format(
    'insert into staging_to_production.kept_status (id, status)
     select b.id, b."oldStatus" from public."Booking" b where %s = ''SCHEDULED'' and upper(b."oldStatus") <> ''SCHEDULED''
     on conflict (id) do nothing',
    staging_to_production.status_rule('b."oldStatus"'));
end
$$;
comment on function staging_to_production.keep_statuses() is 'Finalize step: keeps aside what could not be told by the new status, until clean-up.';
