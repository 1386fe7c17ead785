create or replace function imago.expect_captured(plan text, before jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  missed text;
  problem record;
begin
  select r.key into missed
  from jsonb_each_text(imago.uncaptured_rows(plan)) r
  where r.value::bigint > (before ->> r.key)::bigint
  order by r.key
  limit 1;
  if missed is null then
    return;
  end if;
  select p.* into problem from imago.capture_problems(plan) p where p.relation = missed limit 1;
  raise exception using
    errcode = 'IM060', message = 'rows were written that the journal has not seen', table = missed,
    detail = to_jsonb(array[plan, missed, coalesce(
      problem.object || ' ' || problem.message, 'a function of the app has changed session_replication_role meanwhile')])::text;
end
$$;
comment on function imago.expect_captured(text, jsonb) is 'Raises IM060 when rows were written since that no capture trigger has seen: they could not be taken back. Names the relation and the likely cause.';
