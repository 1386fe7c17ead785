create or replace function staging_to_production.guess_references(name text, target text)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  amount bigint;
  keys text[];
begin
  if pg_catalog.to_regclass(format('public.%I', target)) is not null then
    return query select 'warning', 'dangling_references', format('public."Booking".%I', name), 'bookings that point nowhere are not counted here, the table is large',
      'Once the plan is prepared and has run, validate_migration counts them piece by piece.';
    return;
  end if;
  -- As long as there is no such table, all that name one point nowhere.
  execute format('select array_agg(id) from (select b.id from public."Booking" b where b.%I is not null limit 3) b', name) into keys;
  if keys is null then
    return;
  end if;
  amount := imago.estimated_rows('public."Booking"') * coalesce((
    select 1 - s.null_frac from pg_catalog.pg_stats s
    where s.schemaname = 'public' and s.tablename = 'Booking' and s.attname = guess_references.name), 1);
  return query select 'warning', 'dangling_references', format('public."Booking".%I', name),
    format('about %s bookings point at no row of "%s", which is not there yet', amount, target) || imago.sample_keys_text(keys, amount),
    'Bring these rows into the new table, or have validate_migration with fix_issues make placeholders after the run; it counts them, too.';
end
$$;
comment on function staging_to_production.guess_references(text, text) is 'What look_at_references says of one reference on a table that is too large to count: an estimate, with keys of some.';
