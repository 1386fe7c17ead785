create or replace function imago.dry_run_limits(plan imago.plan, max_ms integer)
returns jsonb
language sql
stable
set search_path = ''
as $$
  -- Until a plan is prepared, that takes its time as well, and holds tables: a sample then does less besides.
  select jsonb_build_object(
    'sample_ms', u.prepare_ms + least(coalesce(max_ms, 2000), case when u.prepare_ms > 0 then 500 else 2000 end),
    'full_ms', u.prepare_ms + coalesce(max_ms, imago.setting_number('dry_run_ms')),
    'prepare_ms', u.prepare_ms,
    'wait_ms', imago.setting_number('dry_run_wait_ms'))
  from (select case when plan.prepared_at is null then 2500 else 0 end as prepare_ms) u
$$;
comment on function imago.dry_run_limits(imago.plan, integer) is 'For how long a dry run may work and hold locks. sample_ms or full_ms, of which preparing may take prepare_ms. It ends sooner when others have waited for wait_ms.';
