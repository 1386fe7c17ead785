create or replace function imago.movable_keys(run imago.run, plan imago.plan, lane imago.lane, keys text[])
returns text[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  todo text[] := coalesce(keys, '{}');
begin
  -- The late pass finds most entities moved: it reads before it locks, and it tries once more
  -- those whose reason may have passed.
  if lane.pass = 'late' and run.direction = 'forward' then
    todo := imago.pending_keys(plan, todo);
  end if;
  if exists (select from imago.failure f where f.plan = plan.name) then
    select coalesce(array_agg(k order by n), '{}') into todo
    from unnest(todo) with ordinality t(k, n)
    where k not in (select imago.set_aside_keys(plan.name, run.direction, lane.pass <> 'late', plan.stage));
  end if;
  return todo;
end
$$;
comment on function imago.movable_keys(imago.run, imago.plan, imago.lane, text[]) is 'Those of the keys that this lane is to move: not set aside, and in the late pass only pending ones.';
