create or replace function imago.pending_figures(plan imago.plan, most bigint default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  counted bigint;
  result jsonb := '{}';
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    counted := null;
    if imago.timed_out() is not true and (most is null or imago.estimated_rows(staged.source) <= most) then
      begin
        counted := (imago.count_stage(staged)).pending;
      exception when query_canceled then
        if not imago.timed_out() then
          raise;
        end if;
      end;
    end if;
    result := result || jsonb_build_object(staged.stage, jsonb_build_object(
      'pending', coalesce(counted, imago.estimate_stage(staged)), 'is_estimate', counted is null));
  end loop;
  return result;
end
$$;
comment on function imago.pending_figures(imago.plan, bigint) is 'By stage: entities still to be moved, counted or estimated. Estimated where the table has more rows than most, or counting does not fit the call.';
