create or replace function staging_to_production.key_services()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_constraint c where c.conrelid = 'public."Booking"'::pg_catalog.regclass and c.conname = 'Booking_serviceId_fkey') then
    alter table public."Booking" add constraint "Booking_serviceId_fkey"
      foreign key ("serviceId") references public."ServiceToJobType" (id) on delete restrict on update cascade not valid;
  end if;
end
$$;
comment on function staging_to_production.key_services() is 'Finalize step: the foreign key of "Booking"."serviceId", not valid yet.';
