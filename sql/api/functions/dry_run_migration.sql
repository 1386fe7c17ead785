create or replace function public.dry_run_migration(
  plan text default 'avatars',
  mode text default 'sample',
  batch_size integer default null,
  max_ms integer default null,
  cohort jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.dry_run(plan, mode, batch_size, max_ms, cohort => cohort);
end
$$;
comment on function public.dry_run_migration(text, text, integer, integer, jsonb) is 'Imago: the real run, taken back. mode sample (a part of each stage, at most 2 s), full (everything, in one transaction, at most dry_run_ms) or preflight (looks, locks nothing, and says what the others would lock). max_ms: another time limit. cohort: as of migrate_batch. Reports rows, failures, side effects, WAL, rate and an estimate of the whole, and what it has not tried.';
