create or replace function imago.count_source(staged imago.plan, estimated boolean, out total bigint, out source_rows bigint)
language plpgsql
stable
set search_path = ''
as $$
declare
  concerned constant text := imago.concerned_rows(staged);
  noted imago.run_stage;
begin
  total := 0;
  source_rows := imago.estimated_rows(staged.source);
  if concerned is null then
    return;
  elsif not estimated and concerned = staged.source then
    execute format('select count(*) from %s', concerned) into total;
  elsif not estimated then
    total := imago.ask_plan(staged.name, 'view ' || concerned, format('select to_jsonb(count(*)) from (select distinct entity from %s) c', concerned));
  else
    select t.* into noted
    from imago.run_stage t join imago.run r on r.id = t.run
    where r.plan = staged.name and t.stage = staged.stage and t.counted is not null
    order by t.run desc limit 1;
    total := case
      -- Who has walked it all knows better than the planner whom the plan concerns.
      when noted.stated_rows = source_rows then noted.counted
      when noted.run is not null then source_rows * noted.counted / noted.walked
      when concerned = staged.source then source_rows
      -- As a share: the planner takes a table whose rows were written anew for a larger one, and the view along with it.
      else source_rows * least(1, imago.planned_rows(concerned) / greatest(1, imago.planned_rows(staged.source))) end;
  end if;
end
$$;
comment on function imago.count_source(imago.plan, boolean, out bigint, out bigint) is 'Entities that a stage of a plan concerns, counted or estimated, and the rows of its table by statistics.';
