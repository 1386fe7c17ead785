create or replace function imago.count_source(plan imago.plan, out total bigint, out is_estimate boolean)
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
  counted bigint;
begin
  select sum(imago.estimated_rows(format('%I.%I', s.source_schema, s.source_table))) into total from imago.stages(plan) s;
  is_estimate := total > 100000;
  if not is_estimate then
    total := 0;
    for staged in
      select s.* from imago.stages(plan) s where pg_catalog.to_regclass(format('%I.%I', s.source_schema, s.source_table)) is not null
    loop
      execute format('select count(*) from %I.%I', staged.source_schema, staged.source_table) into counted;
      total := total + counted;
    end loop;
  end if;
end
$$;
comment on function imago.count_source(imago.plan) is 'Entities of the plan, of all its stages: counted up to about 100,000, estimated (and marked so) above.';
