create or replace function public.rollback_batch(plan text default 'avatars', max_ms integer default 2000, force boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  run imago.run;
begin
  perform imago.find_plan(plan);
  perform imago.check_size(null, max_ms);
  if force is null then
    perform imago.raise_error('IM004', 'force');
  end if;
  run := imago.last_run(plan);
  if run.id is null then
    perform imago.raise_error('IM022', plan);
  end if;
  begin
    run := imago.start_rollback(plan, force);
  exception when sqlstate 'IM016' then
    return imago.answer(run.id, 'busy', '{}', '{}', statement_timestamp()) - 'migrated' || '{"direction": "rollback", "rolled_back": 0}';
  end;
  return imago.work(run.id, max_ms);
end
$$;
comment on function public.rollback_batch(text, integer, boolean) is 'Imago: one call''s worth of taking a migration back, within max_ms milliseconds. Call until has_more is false. What people changed since is left alone and reported (conflicts) unless force is true; references are never overridden.';
