create or replace function imago.is_wider(plan_name text, cohort jsonb)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted imago.cohort_taken;
  taken imago.cohort_taken;
begin
  if cohort is null then
    return false;
  end if;
  wanted := imago.read_cohort(imago.find_plan(plan_name), cohort);
  select t.* into taken from imago.cohort_taken t where t.plan = plan_name;
  return taken.plan is not null and not (coalesce(wanted.percent, 0) <= taken.percent and wanted.keys <@ taken.keys and wanted.names <@ taken.names);
end
$$;
comment on function imago.is_wider(text, jsonb) is 'Whether a caller asks for entities that runs of a plan do not take.';
