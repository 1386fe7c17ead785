create or replace function imago.fixable_entities(
  plan_check imago.plan_check,
  plan imago.plan,
  cursor_key text,
  last_key text,
  first_time_only boolean,
  out entities text[],
  out first_keys text[]
)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
  query text := imago.check_sql(plan_check);
  key record := imago.key_of_check(plan_check);
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'select coalesce(array_agg(%4$s order by e.key), ''{}''), coalesce(array_agg(%5$s order by e.key), ''{}'')
     from (
       select distinct on (f.entity) f.entity, f.key from (%1$s) f where %2$s and f.entity is not null order by f.entity, f.key
     ) e
     where %4$s not in (select imago.set_aside_keys($3, ''forward'', stage => $4)) %3$s',
    query, imago.piece_range(plan_check, cursor_key, last_key),
    case when first_time_only and cursor_key is not null then format(
      'and not exists (select from (%s) p where p.entity = e.entity and p.key <= $1::%s)', query, key.type) end,
    imago.text_of_key(plan.key_type, 'e.entity'), imago.text_of_key(key.type, 'e.key'))
  into entities, first_keys using cursor_key, last_key, plan.name, plan.stage;
end
$$;
comment on function imago.fixable_entities(imago.plan_check, imago.plan, text, text, boolean, out text[], out text[]) is 'Entities that a piece has findings of and that are not set aside, by their first key in it. first_time_only: not those that an earlier piece had findings of.';
