create or replace function imago.pending_keys(plan imago.plan, keys text[], path text default imago.app_search_path())
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  result text[];
begin
  -- The view may call functions of the app.
  perform set_config('search_path', path, true);
  execute format(
    'select coalesce(array_agg(p.entity::text order by p.entity), ''{}'')
     from (select distinct entity from %s where entity = any ($1::%s[])) p',
    imago.plan_object(plan, 'pending'), plan.key_type)
  into result using keys;
  return result;
end
$$;
comment on function imago.pending_keys(imago.plan, text[], text) is 'Those of the keys that the plan''s view pending still lists, in key order and once each.';
