create or replace function imago.validate(
  plan_name text,
  detailed boolean,
  fixes boolean,
  max_ms integer,
  dry_run boolean
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  validation imago.validation;
  held jsonb;
  started timestamptz := clock_timestamp();
  deadline timestamptz := imago.call_deadline(max_ms);
begin
  perform imago.expect_size(null, max_ms);
  if detailed is null or fixes is null or dry_run is null then
    perform imago.raise_error('IM004', case when detailed is null then 'detailed' when fixes is null then 'fix_issues' else 'dry_run' end);
  end if;
  if fixes then
    perform imago.expect_session();
  end if;
  if not fixes and imago.read_only_reason(moving => false) is not null then
    return imago.look_through(plan, detailed, started, deadline);
  elsif fixes and imago.read_only_reason() is not null then
    return imago.busy_answer(plan, detailed, fixes, dry_run, started) || '{"status": "waiting"}' || imago.waiting_fields();
  end if;
  held := imago.held_fields(plan);
  if held is not null then
    return imago.busy_answer(plan, detailed, fixes, dry_run, started) || '{"status": "waiting"}' || held;
  end if;
  validation := imago.claim_validation(plan, fixes, dry_run, null, null);
  if validation.id is null then
    return imago.busy_answer(plan, detailed, fixes, dry_run, started);
  end if;

  validation := imago.work_validation(validation, plan, deadline);
  return imago.validation_answer(validation.id, validation.state, detailed, started)
    || case validation.state when 'done' then jsonb_build_object('progress', imago.validated_figures(plan)) else '{}' end;
end
$$;
comment on function imago.validate(text, boolean, boolean, integer, boolean) is 'One call''s worth of a validation that a person asks for: takes it up where the last call left it. While nothing can be written, it looks as far as one call gets.';
