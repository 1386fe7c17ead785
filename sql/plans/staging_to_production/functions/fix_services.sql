create or replace function staging_to_production.fix_services(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  insert into public."ServiceToJobType" (id, "displayName", "serviceTitanId", "serviceTitanName", emoji, icon, description, enabled)
  select distinct b."serviceId", 'Placeholder', 0, 'Placeholder', '', '', 'Placeholder', false
  from public."Booking" b
  where b.id = any (keys) and b."serviceId" is not null
    and not exists (select from public."ServiceToJobType" s where s.id = b."serviceId")
  on conflict (id) do nothing;
end
$$;
comment on function staging_to_production.fix_services(text[]) is 'Fix: a placeholder, not enabled, for each service that these bookings name and that is not there.';
