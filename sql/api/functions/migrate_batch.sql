create or replace function public.migrate_batch(
  plan text default 'avatars',
  max_ms integer default 2000,
  batch_size integer default null,
  dry_run boolean default false,
  backup boolean default null,
  max_failures text default null,
  on_failure text default null,
  run bigint default null,
  cohort jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.migrate(plan, max_ms, batch_size, dry_run, backup, max_failures, on_failure, run, cohort);
end
$$;
comment on function public.migrate_batch(text, integer, integer, boolean, boolean, text, text, bigint, jsonb) is 'Imago: one call''s worth of a migration, within max_ms milliseconds. Call it, from as many places as you like, until has_more is false. status: preparing, working, done, paused, busy, deferred (wait retry_after_ms), failed (see error) or cancelled. What holds for a run (backup, max_failures, on_failure) is fixed by the call that opens it; left out, it is what the run has. run: the run that the caller drives; no other is opened then. cohort: only some entities, by percent, keys or names ({"percent": 10}); they are added to those that the plan takes already, 100 percent are all, and left out it is what the plan takes.';
