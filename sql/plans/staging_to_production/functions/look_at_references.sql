create or replace function staging_to_production.look_at_references()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
declare
  reference record;
  amount bigint;
  keys text[];
begin
  for reference in select r.* from staging_to_production.booking_references() r loop
    if imago.is_large('public."Booking"') then
      return query select * from staging_to_production.guess_references(reference.name, reference.target);
      continue;
    end if;
    execute format('select count(*), (array_agg(id order by id))[1:3] from (%s) d',
      staging_to_production.dangling_query(reference.name, reference.target)) into amount, keys;
    if amount > 0 then
      return query select 'warning', 'dangling_references', format('public."Booking".%I', reference.name),
        format('%s bookings point at no row of "%s"', amount, reference.target) || imago.sample_keys_text(keys, amount),
        'Bring these rows into the new table, or have validate_migration with fix_issues make placeholders after the run. Finalize refuses until then.';
    end if;
  end loop;
end
$$;
comment on function staging_to_production.look_at_references() is 'For each of the three references how many bookings point nowhere, with keys of some.';
