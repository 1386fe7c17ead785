create or replace function staging_to_production.populate(keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  reference record;
  late text[];
  warnings text[] := '{}';
begin
  for reference in select r.* from staging_to_production.booking_references() r loop
    execute format('select array_agg(d.id order by d.id) from (%s) d where d.id = any ($1)',
      staging_to_production.dangling_query(reference.name, reference.target))
    into late using keys;
    continue when late is null;
    execute format('select staging_to_production.%I($1)', reference.fix) using late;
    warnings := warnings || (format('%s bookings came while finalize began, with a "%s" that is not there', cardinality(late), reference.name)
      || imago.sample_keys_text(late, cardinality(late)) || ': placeholders made');
  end loop;
  return jsonb_build_object('warnings', warnings);
end
$$;
comment on function staging_to_production.populate(text[]) is 'Finalize step that walks: references that came between the checks and the keys get their placeholders, too. So the keys can be validated.';
