create or replace function imago.return_entities(plan_name text, token uuid, results jsonb, failures jsonb, max_ms integer, run_id bigint)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  driven imago.run;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_size(null, max_ms);
  if token is null then
    perform imago.raise_error('IM004', 'token');
  end if;
  results := imago.read_returned('results', results);
  failures := imago.read_returned('failures', failures);
  perform imago.expect_session();
  if imago.read_only_reason() is not null then
    return imago.waiting_answer(plan_name, 'forward') || jsonb_build_object('left', null);
  end if;
  driven := case when run_id is null then imago.last_run(plan_name) else imago.expect_run(plan_name, 'forward', run_id) end;
  if driven.id is null then
    perform imago.raise_error('IM022', plan_name);
  elsif driven.direction = 'rollback' then
    perform imago.raise_error('IM017', plan_name, plan_name);
  end if;
  return imago.work_run(driven.id, max_ms, returned => row(token, results, failures)::imago.returned);
end
$$;
comment on function imago.return_entities(text, uuid, jsonb, jsonb, integer, bigint) is 'Writes what a driver brings back of a claim, as a call of its run.';
