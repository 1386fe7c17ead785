create or replace function imago.finalize_step(plan imago.plan, step imago.plan_step, closing boolean, allow_data_loss boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  started constant timestamptz := clock_timestamp();
  outcome jsonb := imago.attempt_step(plan, step, closing, allow_data_loss);
  name text := coalesce(step.name, 'triggers of Imago');
  held jsonb;
begin
  if outcome is null then
    return imago.finalize_answer(plan.name, name, 'busy');
  end if;
  update imago.plan p set finalized_at = clock_timestamp()
  where p.name = plan.name and p.closed_at is not null and (imago.next_step(plan.name, 'finalize')).plan is null;
  held := imago.held_ms(started);
  if not (outcome ->> 'has_more')::boolean or closing or outcome -> 'warnings' <> '[]' then
    perform imago.write_log(plan.name, null, 'info', 'finalize', jsonb_strip_nulls(jsonb_build_object(
      'step', name, 'closed', nullif(closing, false), 'warnings', nullif(outcome -> 'warnings', '[]'))) || held);
  end if;
  return imago.finalize_answer(plan.name, name, case when (outcome ->> 'has_more')::boolean then 'working' else 'finalizing' end, outcome -> 'warnings')
    || jsonb_strip_nulls(jsonb_build_object('percentage', outcome -> 'percentage')) || held;
end
$$;
comment on function imago.finalize_step(imago.plan, imago.plan_step, boolean, boolean) is 'Does one finalize step, or a call''s worth of it (state working), and writes down that it is done. After the last one the plan is finalized.';
