create or replace function imago.report(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  figures constant jsonb := jsonb_build_object(
    'plan', plan_name, 'progress', imago.progress(plan_name), 'performance', imago.performance(plan_name));
  statistics jsonb;
begin
  begin
    statistics := imago.statistics(plan_name);
  exception when query_canceled then
    -- To count a very large table does not fit a call. All else is known.
    if not imago.timed_out() then
      raise;
    end if;
  end;
  return figures || jsonb_build_object('statistics', statistics);
end
$$;
comment on function imago.report(text) is 'All figures of a plan of one moment, each as the function of its name has it. Statistics are null where counting does not fit the statement timeout.';
