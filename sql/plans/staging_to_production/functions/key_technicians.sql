create or replace function staging_to_production.key_technicians()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_constraint c where c.conrelid = 'public."Booking"'::pg_catalog.regclass and c.conname = 'Booking_technicianId_fkey') then
    alter table public."Booking" add constraint "Booking_technicianId_fkey"
      foreign key ("technicianId") references public."Technician" (id) on delete restrict on update cascade not valid;
  end if;
end
$$;
comment on function staging_to_production.key_technicians() is 'Finalize step: the foreign key of "Booking"."technicianId", not valid yet.';
