create or replace function staging_to_production.index_booking()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- What a concurrent build that failed has left behind is in the way of the next.
  if exists (select from pg_catalog.pg_index i where i.indexrelid = pg_catalog.to_regclass('public."Booking_scheduledFor_idx"') and not i.indisvalid) then
    drop index public."Booking_scheduledFor_idx";
  end if;
  if pg_catalog.to_regclass('public."Booking_scheduledFor_idx"') is null and imago.may_hold('public."Booking"') then
    create index "Booking_scheduledFor_idx" on public."Booking" ("scheduledFor");
  end if;
  return pg_catalog.to_regclass('public."Booking_scheduledFor_idx"') is not null;
end
$$;
comment on function staging_to_production.index_booking() is 'Direct prepare step: the index on "Booking"."scheduledFor". It is built here where writers do not wait for it, or not long.';
