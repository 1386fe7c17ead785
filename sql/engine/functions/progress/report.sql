create or replace function imago.report(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  progress jsonb := imago.progress(plan_name);
  performance constant jsonb := imago.performance(plan_name);
  statistics jsonb;
  hint text;
begin
  begin
    statistics := imago.statistics(plan_name);
  exception
    when query_canceled then
      -- To count a very large table does not fit a call. All else is known.
      if not imago.timed_out() then
        raise;
      end if;
    when sqlstate 'IM071' then
      -- As in stage_figures, which has no need of all that statistics read.
      get stacked diagnostics hint = pg_exception_hint;
      progress := progress || jsonb_build_object('count_error', coalesce(
        nullif(progress -> 'count_error', 'null'), jsonb_build_object('code', sqlstate, 'message', sqlerrm, 'hint', hint)));
  end;
  return jsonb_build_object('plan', plan_name, 'progress', progress, 'performance', performance, 'statistics', statistics,
    'bloat', imago.bloat(plan_name, imago.last_moving_run(plan_name)));
end
$$;
comment on function imago.report(text) is 'All figures of a plan of one moment, each as the function of its name has it. Statistics are null where counting does not fit the statement timeout, or fails: progress then says why (count_error).';
