create or replace function imago_fleet.find_rollout(plan text, rollout bigint default null)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  found_one bigint;
begin
  select r.id into found_one from imago_fleet.rollout r
  where (find_rollout.rollout is null or r.id = find_rollout.rollout)
    and (find_rollout.plan is null or r.plan = find_rollout.plan)
  order by r.state in ('running', 'paused', 'stopped') desc, r.id desc
  limit 1;
  if found_one is null then
    perform imago_fleet.refuse('FL001',
      case when find_rollout.rollout is not null then pg_catalog.format('There is no rollout %s.', find_rollout.rollout)
        when find_rollout.plan is null then 'There is no rollout yet.'
        else pg_catalog.format('There is no rollout of the plan %s.', find_rollout.plan) end,
      'Begin one: imago fleet run.');
  end if;
  return found_one;
end
$$;

comment on function imago_fleet.find_rollout(text, bigint) is 'The rollout that is meant: the one named, else the open one, else the newest.';
