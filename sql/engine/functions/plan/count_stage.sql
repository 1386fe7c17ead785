create or replace function imago.count_stage(staged imago.plan)
returns bigint
language plpgsql
stable
set search_path = ''
-- As in remaining_entities: with old statistics and little memory allowed each entity would be asked for. Here as many may be pending as there are.
set work_mem = '128MB'
set jit = off
as $$
declare
  result bigint;
begin
  if pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) is not null then
    return imago.ask_pending(staged,
      format('select to_jsonb(count(*)) from (select distinct entity from %s) p', imago.plan_object(staged, 'pending')));
  end if;
  execute format('select count(*) from %s', staged.source) into result;
  return result;
end
$$;
comment on function imago.count_stage(imago.plan) is 'Entities of a stage that are still to be moved, counted; before the plan is prepared, all of them.';
