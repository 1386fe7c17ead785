create or replace function staging_to_production.apply_2(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'update public."Booking" b set "newStatus" = (%1$s)::public."BookingStatus"
     where b.id = any ($1) and b."newStatus"::text is distinct from %1$s',
    staging_to_production.status_rule('b.status')) using keys;
end
$$;
comment on function staging_to_production.apply_2(text[]) is 'Sets the new status of exactly these bookings.';
