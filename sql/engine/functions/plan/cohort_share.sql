create or replace function imago.cohort_share(staged imago.plan)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  condition constant text := imago.cohort_sql(staged, imago.key_of(staged, 'source'));
  rows constant bigint := greatest(1, imago.estimated_rows(staged.source));
  share numeric := 0;
  taken imago.cohort_taken;
  named text;
begin
  if condition in ('true', 'false') then
    return case condition when 'true' then 1 else 0 end;
  end if;
  select t.* into strict taken from imago.cohort_taken t where t.plan = staged.name;
  if staged.stage = imago.first_walked(staged) then
    share := taken.percent / 100 + cardinality(taken.keys)::numeric / rows;
  end if;
  for named in
    select c.condition from imago.plan_cohort c
    where c.plan = staged.name and c.stage = staged.stage and c.name = any (taken.names)
  loop
    share := share + imago.planned_rows(format(E'(select from %s source where %s\n) source', staged.source, named))
      / greatest(1, imago.planned_rows(staged.source));
  end loop;
  return least(1, share);
end
$$;
comment on function imago.cohort_share(imago.plan) is 'Which share of the rows of a stage runs of a plan take, by statistics; 1 where they take all.';
