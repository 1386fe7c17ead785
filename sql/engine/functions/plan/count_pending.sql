create or replace function imago.count_pending(plan imago.plan)
returns bigint
language sql
stable
set search_path = ''
as $$
  -- What pending reads may have been dropped, and nothing is moved any more.
  select case when plan.closed_at is not null then 0
    else (select coalesce(sum(imago.count_stage(s)), 0)::bigint from imago.plan_stages(plan) s) end
$$;
comment on function imago.count_pending(imago.plan) is 'Entities still to be moved, counted; before the plan is prepared, all of them; once finalize has closed it, none.';
