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
declare
  found_plan imago.plan := imago.find_plan(plan);
begin
  if older_than is null or dry_run is null then
    perform imago.raise_error('IM004', case when dry_run is null then 'dry_run' else 'older_than' end);
  end if;
  if older_than < interval '0' then
    perform imago.raise_error('IM015', 'older_than', older_than::text, 'zero or more');
  end if;
  if dry_run then
    return imago.cleanup_preview(found_plan, imago.expect_cleanable(found_plan, older_than));
  end if;
  return imago.cleanup(plan, older_than);
end
$$;
comment on function public.cleanup_migration(text, interval, boolean) is 'Imago: drops the journal and what the log holds of the migration, so long after a migration was finalized or taken back whole; refuses before. Call until has_more is false. bytes_freed says how much space that gives back; with dry_run, would give.';
