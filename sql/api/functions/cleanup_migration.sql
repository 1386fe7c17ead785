create or replace function public.cleanup_migration(
  plan text default 'avatars',
  older_than interval default '30 days',
  dry_run boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.cleanup(plan, older_than, dry_run);
end
$$;
comment on function public.cleanup_migration(text, interval, boolean) is 'Imago: drops the journal and what the log holds of a migration that ended long enough ago; refuses before. It has ended once it is finalized, or taken back whole. Call until has_more is false. bytes_freed says how much space that gives back; with dry_run, would give.';
