create or replace function imago.pending_keys(plan imago.plan, keys text[], path text default imago.app_search_path())
returns text[]
language plpgsql
stable
set search_path = ''
-- Keys are looked up, as many as a table may have: by the costs of a disk it would be read whole for a thousand of them.
set enable_seqscan = off
set random_page_cost = 0.1
as $$
declare
  result text[];
begin
  -- The view may call functions of the app.
  perform set_config('search_path', path, true);
  execute case
    -- One look-up for each key, whatever the view is made of: a union of several tables would be read whole to be joined.
    when cardinality(imago.key_names(plan.key_column)) > 1 then format(
      'select coalesce(array_agg(k.key order by k.n), ''{}'') from %s k where exists (select from %s l where (%s) = (%s) offset 0)',
      imago.records_sql(plan), imago.plan_object(plan, 'pending'), imago.key_parts(plan.key_type, 'l.entity'), imago.key_parts(plan.key_type, 'k.record'))
    else format(
      'select coalesce(array_agg(p.entity::text order by p.entity), ''{}'')
       from (select distinct entity from %s where entity = any ($1::%s[])) p',
      imago.plan_object(plan, 'pending'), plan.key_type) end
  into result using keys;
  return result;
end
$$;
comment on function imago.pending_keys(imago.plan, text[], text) is 'Those of the keys that the plan''s view pending still lists, in key order and once each.';
