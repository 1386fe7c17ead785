create or replace function public.get_migration_performance_stats(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  found_plan imago.plan := imago.find_plan(plan);
  run imago.run := imago.last_moving_run(plan);
begin
  return imago.guide_names(imago.batch_statistics(run.id)) || imago.plan_words(found_plan) || imago.trouble_statistics(run) || imago.server_statistics()
    || jsonb_build_object('plan', found_plan.name, 'run', run.id, 'direction', run.direction, 'state', coalesce(run.state, 'none'));
end
$$;
comment on function public.get_migration_performance_stats(text) is 'Imago: rates, batch times (p50, p95, p99, max), batch sizes, errors, rows and WAL of the newest run that migrates or rolls back (fixes of validate_migration have runs of their own), and the server''s connections and cache hits. WAL is server-wide while a batch ran.';
