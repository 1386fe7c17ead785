create or replace function staging_to_production.populate()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  keys text[];
  reference record;
begin
  for reference in select r.* from staging_to_production.booking_references() r loop
    execute format('select array_agg(id) from (%s limit 1000) d', staging_to_production.dangling_query(reference.name, reference.target)) into keys;
    continue when keys is null;
    case reference.name
      when 'customerId' then perform staging_to_production.fix_customers(keys);
      when 'serviceId' then perform staging_to_production.fix_services(keys);
      else perform staging_to_production.fix_technicians(keys);
    end case;
    return jsonb_build_object('has_more', true, 'warnings', jsonb_build_array(
      format('%s bookings came while finalize began, with a "%s" that is not there: placeholders made', cardinality(keys), reference.name)));
  end loop;
  return '{"has_more": false}';
end
$$;
comment on function staging_to_production.populate() is 'Finalize step: references that came between the checks and the keys get their placeholders, too, so that the keys can be validated.';
