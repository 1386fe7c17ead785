create or replace function staging_to_production.fill_status(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  if staging_to_production.has_column('public."Booking"', 'oldStatus') then
    execute format(
      'update public."Booking" b set status = (%s)::public."BookingStatus" where b.id = any ($1) and b.status is null',
      staging_to_production.status_rule('b."oldStatus"'))
    using keys;
  end if;
end
$$;
comment on function staging_to_production.fill_status(text[]) is 'Finalize step that walks: a booking that came between the checks and the swap, and whose sync failed, gets its status.';
