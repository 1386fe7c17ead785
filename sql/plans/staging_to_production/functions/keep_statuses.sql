create or replace function staging_to_production.keep_statuses(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if staging_to_production.has_column('public."Booking"', 'oldStatus') then
    execute format(
      'insert into staging_to_production.kept_status (id, status)
       select b.id, b."oldStatus" from public."Booking" b
       where b.id = any ($1) and %s = ''SCHEDULED'' and upper(b."oldStatus") <> ''SCHEDULED''
       on conflict (id) do nothing',
      staging_to_production.status_rule('b."oldStatus"'))
    using keys;
  end if;
end
$$;
comment on function staging_to_production.keep_statuses(text[]) is 'Finalize step that walks: keeps aside what could not be told by the new status, until clean-up.';
