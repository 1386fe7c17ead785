create or replace function imago.count_source(plan imago.plan, out total bigint, out is_estimate boolean)
language plpgsql
stable
set search_path = ''
as $$
begin
  total := imago.estimated_rows(format('%I.%I', plan.source_schema, plan.source_table));
  is_estimate := total > 100000;
  if not is_estimate then
    execute format('select count(*) from %I.%I', plan.source_schema, plan.source_table) into total;
  end if;
end
$$;
comment on function imago.count_source(imago.plan) is 'Entities of the plan: counted up to about 100,000, estimated (and marked so) above.';
