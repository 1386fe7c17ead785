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
declare
  found_plan imago.plan := imago.find_plan(plan);
begin
  if allow_data_loss is null or dry_run is null then
    perform imago.raise_error('IM004', case when dry_run is null then 'dry_run' else 'allow_data_loss' end);
  end if;
  if dry_run then
    return imago.finalize_preview(found_plan);
  end if;
  return imago.finalize(plan, allow_data_loss);
end
$$;
comment on function public.finalize_migration(text, boolean, boolean) is 'Imago: ends a migration for good, one step a call. Call until has_more is false. Refuses while anything is pending, set aside, held, in conflict or a check fails. From the step on that closes the way back (closed) nothing can be rolled back. dry_run lists the steps and what stands in the way.';
