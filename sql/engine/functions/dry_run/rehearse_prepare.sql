create or replace function imago.rehearse_prepare(plan_name text, ends_at timestamptz)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  step jsonb;
  is_first boolean := true;
begin
  loop
    begin
      step := imago.prepare_step(plan_name);
    exception when sqlstate 'IM042' then
      -- Its statement would not find what the steps before it have made, and what is taken back here.
      perform imago.raise_error('IM079', plan_name, 'a step of it has to be run outside of a transaction');
    end;
    if step ->> 'status' = 'busy' and is_first then
      perform imago.raise_error('IM016', plan_name);
    elsif step ->> 'status' = 'busy' then
      -- Who holds this table may well wait for one that is held here: that would be so again.
      perform imago.raise_error('IM079', plan_name, 'others hold its tables');
    end if;
    exit when not (step ->> 'has_more')::boolean;
    is_first := false;
    if imago.is_waited_for(imago.setting_number('dry_run_wait_ms')) then
      perform imago.raise_error('IM079', plan_name, 'others wait for its tables');
    elsif clock_timestamp() >= ends_at then
      perform imago.raise_error('IM079', plan_name, 'that takes longer than its tables may be held');
    end if;
  end loop;
end
$$;
comment on function imago.rehearse_prepare(text, timestamptz) is 'Prepares a plan inside of a rehearsal. Gives up (IM079) as soon as somebody has to wait for that, or where it takes too long.';
