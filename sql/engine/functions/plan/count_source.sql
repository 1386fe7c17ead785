create or replace function imago.count_source(staged imago.plan, estimated boolean, out total bigint, out source_rows bigint, out outside bigint)
language plpgsql
-- As gone_entities, which it calls.
volatile
set search_path = ''
as $$
declare
  concerned constant text := imago.concerned_rows(staged);
  is_whole constant boolean := concerned = staged.source;
  within constant text := imago.cohort_sql(staged, case when is_whole then imago.key_of(staged, 'c') else 'c.entity' end);
  counts jsonb;
  noted imago.run_stage;
begin
  total := 0;
  outside := 0;
  source_rows := imago.estimated_rows(staged.source);
  if concerned is null then
    return;
  elsif not estimated and is_whole and within = 'true' then
    execute format('select count(*) from %s', concerned) into total;
  elsif not estimated then
    counts := imago.ask_plan(staged.name, case when is_whole then 'cohort' else 'view ' || concerned end,
      format('select to_jsonb(array[count(*) filter (where %s), count(*)]) from %s c', within,
        case when is_whole then concerned else format('(select distinct entity from %s)', concerned) end));
    total := counts -> 0;
    outside := (counts ->> 1)::bigint - total;
  else
    select t.* into noted
    from imago.run_stage t join imago.run r on r.id = t.run
    where r.plan = staged.name and t.stage = staged.stage and t.counted is not null
    order by t.run desc limit 1;
    total := case
      -- A run that has walked it all knows better than the planner which entities the plan concerns.
      when noted.stated_rows = source_rows then noted.counted
      when noted.run is not null then source_rows * noted.counted / noted.walked
      when is_whole then source_rows
      -- As a share: the planner takes a table whose rows were rewritten for a larger one, and the view along with it.
      else source_rows * least(1, imago.planned_rows(concerned) / greatest(1, imago.planned_rows(staged.source))) end;
    outside := total - round(total * imago.cohort_share(staged));
    total := total - outside;
  end if;
  total := total + imago.gone_entities(staged, estimated);
end
$$;
comment on function imago.count_source(imago.plan, boolean, out bigint, out bigint, out bigint) is 'Entities that a stage of a plan concerns and that runs take, counted or estimated, and those that they do not (outside). Besides, the rows of its table by statistics.';
