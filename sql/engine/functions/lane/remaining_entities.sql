create or replace function imago.remaining_entities(run imago.run, plan imago.plan, most integer)
returns text[]
language plpgsql
volatile
set search_path = ''
-- What is pending is looked up in a hash of the few rows that are left. How many those are is estimated from old statistics, so that
-- with little memory allowed the planner would rather ask for each entity, which takes ten times as long.
set work_mem = '512MB'
set jit = off
as $$
declare
  source text;
  within text := '';
  result text[];
begin
  if run.direction = 'forward' then
    source := format('select entity from %s', imago.plan_object(plan, 'pending'));
    if run.cohort is not null then
      within := ' and ' || imago.cohort_sql(plan, 'l.entity');
    end if;
  else
    select coalesce(string_agg(format('select entity from imago_undo.%I', w.undo_table), ' union '), 'select null::text as entity where false')
      into source
    from imago.stage_writes(plan) w;
  end if;
  -- The view may call functions of the app.
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'select coalesce(array_agg(%3$s order by entity), ''{}'') from (
       select entity from (%1$s) l
       where case when entity is null then not $5 else %3$s not in (select imago.set_aside_keys($1, $2, stage => $4)) end%2$s
       limit $3) first_ones', source, within,
    imago.text_of_key(case run.direction when 'forward' then plan.key_type else 'text' end, 'entity'))
  into result using plan.name, run.direction, most, plan.stage,
    exists (select from imago.failure f where f.plan = plan.name and f.direction = run.direction and f.stage = plan.stage and f.entity is null);
  return result;
end
$$;
comment on function imago.remaining_entities(imago.run, imago.plan, integer) is 'Entities of a stage that are still to be moved anywhere and are not set aside, at most so many. Of a cohort, if the run takes one only. Twice what a view lists twice, and null until it is noted. The proof of completeness.';
