create or replace function staging_to_production.fill_status()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not staging_to_production.has_column('public."Booking"', 'oldStatus') then
    return;
  end if;
  execute format(
    'update public."Booking" b set status = (%s)::public."BookingStatus" where b.status is null',
    staging_to_production.status_rule('b."oldStatus"'));
end
$$;
comment on function staging_to_production.fill_status() is 'Finalize step: a booking that came between the checks and the swap, and whose sync failed, gets its status.';
