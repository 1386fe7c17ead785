create or replace function imago.finalize_preview(plan imago.plan)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.finalize_answer(plan.name, (select s.name from imago.finalize_steps(plan) s where not s.done order by s.number limit 1),
      case when plan.finalizing_at is null then 'not started' else 'finalizing' end)
    || jsonb_build_object(
      'dry_run', true,
      'list', (select jsonb_agg(to_jsonb(s) order by s.number) from imago.finalize_steps(plan) s),
      'obstacles', (
        select coalesce(jsonb_agg(to_jsonb(o)), '[]')
        from imago.find_pending(plan, imago.call_deadline(2000)) l
        cross join lateral imago.finalize_obstacles(plan, l.pending) o
        where plan.closed_at is null))
$$;
comment on function imago.finalize_preview(imago.plan) is 'What finalize would do, step by step, and what stands in its way now, but for the checks. Changes nothing.';
