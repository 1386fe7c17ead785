create or replace function imago.schedule_index(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  index record;
begin
  select d.* into index from imago.direct_index(plan_name, false) d;
  -- Another builder, this job or somebody else, is waited for.
  if index.building is not false then
    return;
  end if;
  if index.invalid_index is not null then
    perform imago.drop_invalid_index(index.relation, index.invalid_index, plan_name, index.name);
  end if;
  if not imago.run_by_job(plan_name, index.name, index.statement) then
    perform imago.leave_index_to_person(imago.last_run(plan_name), u.write_id, u.column_name, 'building it keeps failing in pg_cron')
    from imago.missing_indexes(plan_name) u where u.object = index.name;
    perform imago.unschedule_direct(plan_name);
  end if;
end
$$;
comment on function imago.schedule_index(text) is 'Has pg_cron build the index that a run has come to, as a job of its own. Left to a person when that keeps failing.';
