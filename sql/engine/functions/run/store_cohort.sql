create or replace function imago.store_cohort(plan_name text, cohort imago.cohort_taken)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if cohort.plan is null or cohort.percent = 100 then
    delete from imago.cohort_taken t where t.plan = plan_name;
    return found;
  end if;
  insert into imago.cohort_taken as t (plan, percent, keys, names)
  values (plan_name, coalesce(cohort.percent, 0), cohort.keys, cohort.names)
  on conflict on constraint cohort_taken_pkey do update set percent = excluded.percent, keys = excluded.keys, names = excluded.names
    where (t.percent, t.keys, t.names) is distinct from (excluded.percent, excluded.keys, excluded.names);
  return found;
end
$$;
comment on function imago.store_cohort(text, imago.cohort_taken) is 'Notes which entities runs of a plan take from now on; whether that is new.';
