create or replace function imago.wrong_entities(plan_check imago.plan_check, plan imago.plan, entities text[], out keys text[], out amount bigint)
language plpgsql
stable
set search_path = ''
as $$
begin
  execute format(
    'select coalesce(array_agg(distinct f.entity::text), ''{}''), count(*) from (%s) f where f.entity = any ($1::%s[])',
    imago.check_query(plan_check), plan.key_type)
  into keys, amount using entities;
end
$$;
comment on function imago.wrong_entities(imago.plan_check, imago.plan, text[], out text[], out bigint) is 'Those of the entities for which the check finds something, and how much in all.';
