create or replace function imago.pending_keys(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  result text[];
begin
  -- The view may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'select coalesce(array_agg(p.entity::text order by p.entity), ''{}'')
     from (select distinct l.entity from %s l where %s) p',
    imago.plan_object(plan, 'pending'),
    imago.keys_match(imago.key_parts(plan.key_type, 'l.entity'), plan.key_type, format('($1::%s[])', plan.key_type)))
  into result using keys;
  return result;
end
$$;
comment on function imago.pending_keys(imago.plan, text[]) is 'Those of the keys that the plan''s view pending still lists, in key order and once each.';
