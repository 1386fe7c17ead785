create or replace function imago.is_taken(plan_name text, stage integer, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return imago.in_cohort(imago.plan_at_stage(imago.find_plan(plan_name), stage), array[entity]) <> '{}';
end
$$;
comment on function imago.is_taken(text, integer, text) is 'Whether runs of a plan take this entity.';
