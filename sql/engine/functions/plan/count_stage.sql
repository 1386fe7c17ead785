create or replace function imago.count_stage(staged imago.plan, out pending bigint, out outside bigint)
language plpgsql
stable
set search_path = ''
-- As in remaining_entities: with old statistics and little memory allowed each entity would be asked for. Here as many may be pending as there are.
set work_mem = '128MB'
set jit = off
as $$
declare
  counts jsonb;
begin
  if pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) is not null then
    counts := imago.ask_pending(staged,
      format('select to_jsonb(array[count(*) filter (where %s), count(*)]) from (select distinct entity from %s) p',
        imago.cohort_sql(staged, 'p.entity'), imago.plan_object(staged, 'pending')));
  else
    counts := imago.ask_plan(staged.name, 'cohort', format('select to_jsonb(array[count(*) filter (where %s), count(*)]) from %s p',
      imago.cohort_sql(staged, imago.key_of(staged, 'p')), staged.source));
  end if;
  pending := counts -> 0;
  outside := (counts ->> 1)::bigint - pending;
end
$$;
comment on function imago.count_stage(imago.plan, out bigint, out bigint) is 'Entities of a stage that are still to be moved, counted: those that runs take, and the others (outside). Before the plan is prepared, all of them.';
