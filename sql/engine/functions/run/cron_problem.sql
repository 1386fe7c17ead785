create or replace function imago.cron_problem()
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'cron' and p.proname = 'schedule' and p.pronargs = 3
  ) then
    return 'IM031';
  elsif not has_schema_privilege('cron', 'usage') or not has_table_privilege('cron.job', 'select') then
    return 'IM032';
  end if;
  return null;
end
$$;
comment on function imago.cron_problem() is 'The code of what keeps this role from using pg_cron, or null.';
