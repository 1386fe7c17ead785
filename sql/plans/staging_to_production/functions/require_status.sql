create or replace function staging_to_production.require_status()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- The valid check says that there is no null: nothing is scanned.
  alter table public."Booking" alter column status set not null;
  alter table public."Booking" drop constraint if exists "Booking_status_set";
end
$$;
comment on function staging_to_production.require_status() is 'Finalize step: status is not null.';
