create or replace function staging_to_production.prepare_booking()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not staging_to_production.has_column('public."Booking"', 'newStatus') then
    alter table public."Booking" add column "newStatus" public."BookingStatus";
    perform imago.note_added('staging_to_production', 'public."Booking"', 'newStatus');
  end if;
end
$$;
comment on function staging_to_production.prepare_booking() is 'Prepare step: "Booking"."newStatus", which finalize swaps for status.';
