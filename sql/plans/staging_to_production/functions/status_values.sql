create or replace function staging_to_production.status_values()
returns table (value text, becomes text, bookings bigint)
language plpgsql
stable
set search_path = ''
as $$
declare
  source text := case when staging_to_production.has_column('public."Booking"', 'oldStatus') then 'oldStatus' else 'status' end;
begin
  if not staging_to_production.has_column('public."Booking"', source) then
    return;
  end if;
  return query execute format(
    'select coalesce(left(b.%1$I::text, 60), ''(null)''), %2$s, count(*) from public."Booking" b group by 1, 2 order by 3 desc, 1 limit 100',
    source, staging_to_production.status_rule(format('b.%I::text', source)));
end
$$;
comment on function staging_to_production.status_values() is 'How many bookings hold which status, and what it becomes; at most 100 values.';
