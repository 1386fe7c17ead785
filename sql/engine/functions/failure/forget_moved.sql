create or replace function imago.forget_moved(run imago.run, plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  aside text[];
  pending text[];
  bare boolean;
begin
  select array_agg(f.entity) filter (where f.entity is not null), bool_or(f.entity is null) into aside, bare
  from imago.failure f
  where f.plan = run.plan and f.direction = run.direction and f.stage = plan.stage and f.kind in ('failed', 'deferred', 'too_large', 'unreachable');
  if run.direction = 'forward' and aside is not null then
    -- Asked once, not for each of them.
    pending := imago.pending_or_unknown(plan, aside);
    perform imago.clear_set_aside(run, array(select k from unnest(aside) k where k <> all (pending)), plan.stage);
  end if;
  if run.direction = 'forward' and bare and not imago.lists_null(plan) then
    delete from imago.failure f where f.plan = run.plan and f.direction = run.direction and f.stage = plan.stage and f.entity is null;
  end if;
  if run.direction = 'forward' then
    -- Of a rollback that was given up: what it could not take back is migrated, as are all others again.
    delete from imago.failure f
    where f.plan = run.plan and f.direction = 'rollback' and f.stage = plan.stage and f.kind not in ('held', 'forgotten');
  end if;
end
$$;
comment on function imago.forget_moved(imago.run, imago.plan) is 'Forgets set-aside entities of a stage that are not pending any more. They were moved by the caller that had them locked, or deleted by the app. A forward run forgets what an earlier rollback could not take back, too.';
