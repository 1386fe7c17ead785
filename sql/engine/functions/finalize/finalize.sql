create or replace function imago.finalize(plan_name text, allow_data_loss boolean, dry_run boolean default false)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  step imago.plan_step;
  closing boolean;
  held jsonb;
begin
  if allow_data_loss is null or dry_run is null then
    perform imago.raise_error('IM004', case when dry_run is null then 'dry_run' else 'allow_data_loss' end);
  end if;
  if dry_run then
    return imago.finalize_preview(plan);
  end if;
  perform imago.expect_session();
  if imago.read_only_reason() is not null and (imago.find_plan(plan_name)).finalized_at is null then
    return imago.finalize_answer(plan_name, null, 'waiting') || imago.waiting_fields();
  end if;
  perform imago.expect_visible(plan_name);
  -- One caller at a time, and the others hold nothing: what they had read would keep the step from its table.
  if not pg_try_advisory_xact_lock(imago.plan_lock_key(plan_name, 'finalize')) then
    return imago.finalize_answer(plan_name, null, 'busy');
  end if;
  plan := imago.find_plan(plan_name);
  step := imago.next_step(plan_name, 'finalize');
  if plan.finalized_at is not null then
    return imago.finalize_answer(plan_name, null, 'finalized');
  end if;
  held := imago.held_fields(plan);
  if held is not null then
    return imago.finalize_answer(plan_name, step.name, 'waiting') || held;
  end if;
  closing := plan.closed_at is null and imago.closes_way_back(step);
  if plan.closed_at is null then
    if plan.finalizing_at is null or closing and not imago.checked_lately(plan) then
      return imago.finalize_checks(plan);
    end if;
    perform imago.expect_finalizable(plan);
  end if;

  if not imago.lock_plan(plan_name, closing) then
    return imago.finalize_answer(plan_name, step.name, 'busy');
  end if;
  if plan.closed_at is null then
    -- A run may have begun meanwhile, and even ended.
    perform imago.expect_finalizable(plan);
    if (imago.find_plan(plan_name)).finalizing_at is null then
      return imago.finalize_answer(plan_name, step.name, 'busy');
    end if;
  end if;
  return imago.finalize_step(plan, step, closing, allow_data_loss);
end
$$;
comment on function imago.finalize(text, boolean, boolean) is 'One call''s worth of finalize: the checks, or the next step. Refuses while anything is left or in doubt. The checks come before the first step and once more before the one that closes the way back.';
