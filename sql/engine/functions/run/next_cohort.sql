create or replace function imago.next_cohort(plan imago.plan, cohort jsonb, driven boolean default false)
returns imago.cohort_taken
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted imago.cohort_taken := imago.read_cohort(plan, cohort);
  run constant imago.run := imago.unfinished_run(plan.name);
  last constant imago.run := imago.last_moving_run(plan.name);
  taken imago.cohort_taken;
begin
  select t.* into taken from imago.cohort_taken t where t.plan = next_cohort.plan.name;
  if run.id is null and (last.id is null or last.direction = 'rollback' and last.state = 'succeeded') then
    -- Nobody is moved: it begins again.
    return wanted;
  end if;
  if wanted.percent is distinct from 100 and (taken.plan is null or wanted.percent < taken.percent) then
    -- The driver of a run says at each call what the run was begun with.
    if not driven then
      perform imago.raise_error('IM085', plan.name, imago.cohort_text(taken), imago.cohort_text(wanted));
    end if;
    return taken;
  end if;
  wanted.percent := greatest(wanted.percent, taken.percent);
  wanted.keys := array(select unnest(wanted.keys) union select unnest(taken.keys) order by 1);
  wanted.names := array(select unnest(wanted.names) union select unnest(taken.names) order by 1);
  return case when taken.plan is null then taken else wanted end;
end
$$;
comment on function imago.next_cohort(imago.plan, jsonb, boolean) is 'What runs of a plan take once a caller has asked for a cohort: what they took before, and this cohort. IM085 where that would be fewer, unless nobody is moved or the caller drives a run that has gone on.';
