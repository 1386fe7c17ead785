create or replace function public.rollback_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  force boolean default null,
  run bigint default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  driven imago.run;
begin
  perform imago.find_plan(plan);
  perform imago.expect_size(null, max_ms);
  if run is not null then
    driven := imago.expect_run(plan, 'rollback', run);
    if driven.force <> force then
      perform imago.raise_error('IM007', driven.id::text, plan, 'force', driven.force::text, force::text);
    end if;
    return imago.work_run(driven.id, max_ms);
  end if;
  driven := imago.last_run(plan);
  if driven.id is null then
    perform imago.raise_error('IM022', plan);
  end if;
  begin
    driven := imago.start_rollback(plan, force);
  exception when sqlstate 'IM016' then
    return imago.work_answer(driven.id, 'busy', '{}', '{}', statement_timestamp()) - 'migrated'
      || '{"run": null, "direction": "rollback", "rolled_back": 0}';
  end;
  return imago.work_run(driven.id, imago.call_budget(driven.id, max_ms));
end
$$;
comment on function public.rollback_batch(text, integer, boolean, bigint) is 'Imago: one call''s worth of taking a migration back, within max_ms milliseconds. Call until has_more is false. What people changed since is left alone and reported (conflicts) unless force is true; references are never overridden. Left out, force is what the rollback was begun with. run: the run that the caller drives; no other is opened then.';
