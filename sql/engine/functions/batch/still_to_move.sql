create or replace function imago.still_to_move(plan imago.plan, fixed imago.plan_check, entities text[], out keys text[], out amount bigint)
language plpgsql
stable
set search_path = ''
as $$
begin
  if fixed.id is null then
    keys := imago.pending_keys(plan, entities);
    amount := cardinality(keys);
  else
    perform set_config('search_path', imago.app_search_path(), true);
    execute format(
      'select coalesce(array_agg(distinct f.entity::text), ''{}''), count(*) from (%s) f where %s',
      imago.check_sql(fixed), imago.keys_match(imago.key_parts(plan.key_type, 'f.entity'), plan.key_type, format('($1::%s[])', plan.key_type)))
    into keys, amount using entities;
  end if;
end
$$;
comment on function imago.still_to_move(imago.plan, imago.plan_check, text[], out text[], out bigint) is 'Those of the entities that are pending or, for a fix, that its check finds; and how many, or how much it finds.';
