create or replace function staging_to_production.fix_customers(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  with missing as (
    select distinct b."customerId" as id from public."Booking" b
    where b.id = any (keys) and b."customerId" is not null
      and not exists (select from public."Customer" c where c.id = b."customerId")
  ), numbers as (
    insert into public."PhoneNumber" (id, "countryCode", number)
    select 'placeholder_' || m.id, 'placeholder', m.id from missing m
    on conflict do nothing
  )
  insert into public."Customer" (id, "customerId", name, type, "phoneNumberId")
  select m.id, -nextval('staging_to_production.placeholder_number'), 'Placeholder', 'RESIDENTIAL', 'placeholder_' || m.id from missing m
  on conflict (id) do nothing;
end
$$;
comment on function staging_to_production.fix_customers(text[]) is 'Fix: a placeholder for each missing customer that these bookings name, with a placeholder for their phone number.';
