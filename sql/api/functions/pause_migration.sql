create or replace function public.pause_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.transition_last_run(plan, 'pause');
end
$$;
comment on function public.pause_migration(text) is 'Imago: stops after the batches in flight; nothing is lost, resume_migration goes on.';
