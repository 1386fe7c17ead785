create or replace function public.resume_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.transition_last_run(plan, 'resume');
end
$$;
comment on function public.resume_migration(text) is 'Imago: lets a paused run go on; callers of migrate_batch do the work.';
