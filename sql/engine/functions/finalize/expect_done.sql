create or replace function imago.expect_done(plan_name text, finalized boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_effective_run(plan.name);
  reasons text;
  remedies text;
begin
  if finalized is null then
    perform imago.raise_error('IM004', 'finalized');
  end if;
  perform imago.expect_session(writing => false);
  if plan.finalized_at is not null or plan.cleaned_at is not null and plan.closed_at is not null then
    return jsonb_build_object('plan', plan_name, 'done', true);
  end if;
  perform imago.expect_visible(plan_name);
  -- A database that has none of its rows, as when all migrations are applied to an empty one, has nothing to migrate.
  if plan.finalizing_at is null and imago.has_no_entities(plan)
     and (run.id is null or run.direction = 'rollback' and run.state = 'succeeded') then
    return jsonb_build_object('plan', plan_name, 'done', true);
  end if;
  if finalized or plan.closed_at is not null then
    perform imago.raise_error('IM066', plan.name, 'it is not finalized', 'Call finalize_migration until has_more is false.');
  end if;
  select string_agg(o.reason, '; ' order by o.n), string_agg(distinct o.remedy, ' ') into reasons, remedies
  from imago.undone(plan) with ordinality o(reason, remedy, n);
  if reasons is not null then
    perform imago.raise_error('IM066', plan.name, reasons, remedies);
  end if;
  return jsonb_build_object('plan', plan_name, 'done', true);
end
$$;
comment on function imago.expect_done(text, boolean) is 'Refuses (IM066) unless a plan is done. That is: finalized, or its run has succeeded, its checks found nothing and nothing is pending now; or there is nothing to migrate.';
