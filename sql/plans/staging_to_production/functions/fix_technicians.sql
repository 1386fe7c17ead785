create or replace function staging_to_production.fix_technicians(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  insert into public."Technician" (id, "technicianId", "technicianName", enabled)
  select m.id, -nextval('staging_to_production.placeholder_number'), 'Placeholder', false
  from (
    select distinct b."technicianId" as id from public."Booking" b
    where b.id = any (keys) and b."technicianId" is not null
      and not exists (select from public."Technician" t where t.id = b."technicianId")
  ) m
  on conflict (id) do nothing;
end
$$;
comment on function staging_to_production.fix_technicians(text[]) is 'Fix: a placeholder, not enabled, for each technician that these bookings name and that is not there.';
