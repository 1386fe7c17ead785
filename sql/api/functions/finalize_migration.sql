create or replace function public.finalize_migration(
  plan text default 'avatars',
  allow_data_loss boolean default false,
  dry_run boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.finalize(plan, allow_data_loss, dry_run);
end
$$;
comment on function public.finalize_migration(text, boolean, boolean) is 'Imago: ends a migration for good, one step a call. Call until has_more is false. Refuses while anything is pending, set aside, held, in conflict or a check fails. From the step on that closes the way back (closed) nothing can be rolled back. dry_run lists the steps and what stands in the way.';
