create or replace function imago.entity_stage(plan imago.plan, entity text, stage integer, journaled boolean)
returns imago.plan
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
  named imago.plan;
  numbers integer[] := '{}';
begin
  if stage not in (select s.stage from imago.plan_stages(plan) s) then
    perform imago.raise_error('IM015', 'stage', entity_stage.stage::text,
      (select string_agg(format('%s (%s)', s.stage, s.source), ', ' order by s.stage) from imago.plan_stages(plan) s));
  end if;
  for staged in select s.* from imago.plan_stages(plan) s where s.stage = coalesce(entity_stage.stage, s.stage) loop
    begin
      if journaled and imago.has_journal(staged, entity) or not journaled and imago.entity_exists(staged, entity) then
        named := staged;
        numbers := numbers || staged.stage;
      end if;
    exception when data_exception then
      -- No key of this stage looks so.
      null;
    end;
  end loop;
  if cardinality(numbers) > 1 then
    perform imago.raise_error('IM051', plan.name, array_to_string(numbers, ', '), numbers[1]::text);
  end if;
  return named;
end
$$;
comment on function imago.entity_stage(imago.plan, text, integer, boolean) is 'The plan as the stage sees it whose entity a key names, by the table that the stage walks or by its journal. Null when there is none, IM051 when there are several and none was asked for.';
