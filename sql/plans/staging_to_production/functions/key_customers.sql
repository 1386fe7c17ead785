create or replace function staging_to_production.key_customers()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_constraint c where c.conrelid = 'public."Booking"'::pg_catalog.regclass and c.conname = 'Booking_customerId_fkey') then
    alter table public."Booking" add constraint "Booking_customerId_fkey"
      foreign key ("customerId") references public."Customer" (id) on delete restrict on update cascade not valid;
  end if;
end
$$;
comment on function staging_to_production.key_customers() is 'Finalize step: the foreign key of "Booking"."customerId", not valid yet.';
