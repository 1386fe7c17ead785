create or replace function imago.count_source(plan imago.plan, exactly boolean default false, out total bigint, out is_estimate boolean)
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
  concerned text;
  counted bigint;
begin
  is_estimate := not exactly and imago.source_rows(plan) > 100000;
  total := 0;
  for staged in select s.* from imago.plan_stages(plan) s loop
    concerned := imago.concerned_rows(staged);
    continue when concerned is null;
    if not is_estimate and concerned = staged.source then
      execute format('select count(*) from %s', concerned) into counted;
    elsif not is_estimate then
      counted := imago.ask_plan(plan.name, 'view ' || concerned, format('select to_jsonb(count(*)) from (select distinct entity from %s) c', concerned));
    elsif concerned = staged.source then
      counted := imago.estimated_rows(staged.source);
    else
      -- As a share: the planner takes a table whose rows were written anew for a larger one, and the view along with it.
      counted := imago.estimated_rows(staged.source)
        * least(1, imago.planned_rows(concerned) / greatest(1, imago.planned_rows(staged.source)));
    end if;
    total := total + counted;
  end loop;
end
$$;
comment on function imago.count_source(imago.plan, boolean) is 'Entities that the plan concerns, in all its stages. Counted up to about 100,000 rows, estimated (and marked so) above, unless they are wanted exactly.';
