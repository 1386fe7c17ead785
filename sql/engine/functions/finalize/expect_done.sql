create or replace function imago.expect_done(plan imago.plan, finalized boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.last_effective_run(plan.name);
  reasons text;
  remedies text;
begin
  if plan.finalized_at is not null or plan.cleaned_at is not null and plan.closed_at is not null then
    return;
  end if;
  -- A database that has none of its rows, as when all migrations are applied to an empty one, has nothing to migrate.
  if plan.finalizing_at is null and imago.has_no_entities(plan)
     and (run.id is null or run.direction = 'rollback' and run.state = 'succeeded') then
    return;
  end if;
  if finalized or plan.closed_at is not null then
    perform imago.raise_error('IM066', plan.name, 'it is not finalized', 'Call finalize_migration until has_more is false.');
  end if;
  select string_agg(o.reason, '; ' order by o.n), string_agg(distinct o.remedy, ' ') into reasons, remedies
  from imago.undone(plan) with ordinality o(reason, remedy, n);
  if reasons is not null then
    perform imago.raise_error('IM066', plan.name, reasons, remedies);
  end if;
end
$$;
comment on function imago.expect_done(imago.plan, boolean) is 'Refuses (IM066) unless a plan is done. That is: finalized, or its run has succeeded, its checks found nothing and nothing is pending now; or there is nothing to migrate.';
