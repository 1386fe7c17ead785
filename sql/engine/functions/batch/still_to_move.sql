create or replace function imago.still_to_move(plan imago.plan, fixed imago.plan_check, entities text[], path text default imago.app_search_path(), out keys text[], out amount bigint)
language plpgsql
stable
set search_path = ''
-- As pending_keys.
set enable_seqscan = off
set random_page_cost = 0.1
as $$
begin
  if fixed.id is null then
    keys := imago.pending_keys(plan, entities, path);
    amount := cardinality(keys);
  else
    perform set_config('search_path', path, true);
    execute case
      -- One look-up for each key, as in pending_keys.
      when cardinality(imago.key_names(plan.key_column)) > 1 then format(
        'select coalesce(array_agg(distinct k.key), ''{}''), count(*) from %s k cross join lateral (select from (%s) f where (%s) = (%s) offset 0) f',
        imago.records_sql(plan), imago.check_sql(fixed), imago.key_parts(plan.key_type, 'f.entity'), imago.key_parts(plan.key_type, 'k.record'))
      else format(
        'select coalesce(array_agg(distinct f.entity::text), ''{}''), count(*) from (%s) f where f.entity = any ($1::%s[])',
        imago.check_sql(fixed), plan.key_type) end
    into keys, amount using entities;
  end if;
end
$$;
comment on function imago.still_to_move(imago.plan, imago.plan_check, text[], text, out text[], out bigint) is 'Those of the entities that are pending or, for a fix, that its check finds; and how many, or how much it finds.';
