create or replace function imago.finalize_steps(plan imago.plan)
returns table (number integer, name text, direct boolean, statement text, closes boolean, done boolean)
language sql
stable
set search_path = ''
as $$
  with own as (
    select s.position, s.name, s.direct, s.statement, imago.closes_way_back(s) as closes, s.done_at is not null as done
    from imago.plan_step s where s.plan = plan.name and s.phase = 'finalize'
  ), closing as (
    -- Only the first of them closes the way back; the others find it closed.
    select coalesce(min(o.position) filter (where o.closes), 2147483647) as position, coalesce(bool_or(o.closes), false) as own
    from own o
  ), steps as (
    select o.position, 1 as place, o.name, o.direct, o.statement, o.position = c.position as closes, o.done from own o, closing c
    union all
    select null, 0, 'checks', false, null, false, plan.finalizing_at is not null
    union all
    select c.position, 0, 'checks once more', false, null, false, plan.closed_at is not null
    from closing c where exists (select from own o where o.position < c.position)
    union all
    select c.position, 1, 'triggers of Imago', false, null, true, plan.closed_at is not null from closing c where not c.own
  )
  select row_number() over (order by s.position nulls first, s.place)::integer, s.name, s.direct, s.statement, s.closes, s.done
  from steps s
$$;
comment on function imago.finalize_steps(imago.plan) is 'All steps of finalize in order, with those that every plan has. These are the checks, once more before the way back is closed, and the removal of our triggers where no step of the plan closes it.';
