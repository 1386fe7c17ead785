create or replace function imago.followed_plan(plan_name text)
returns imago.plan
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_visible(plan_name);
  perform imago.follow_schema(plan_name);
  return imago.find_plan(plan_name);
end
$$;
comment on function imago.followed_plan(text) is 'The plan of this name, its declaration being true of the tables as they are now (IM076).';
