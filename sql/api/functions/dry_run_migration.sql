create or replace function public.dry_run_migration(
  plan text default 'avatars',
  mode text default 'sample',
  batch_size integer default null,
  max_ms integer default 2000
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.dry_run(plan, mode, batch_size, max_ms);
end
$$;
comment on function public.dry_run_migration(text, text, integer, integer) is 'Imago: the real run, taken back. mode sample (at most max_ms of work), full (everything, in one transaction) or preflight (looks, locks nothing). Reports rows, failures, side effects, WAL, rate and an estimate of the whole.';
