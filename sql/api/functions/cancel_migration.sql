create or replace function public.cancel_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.transition_last_run(plan, 'cancel');
end
$$;
comment on function public.cancel_migration(text) is 'Imago: gives the run up. What was moved stays moved and can still be rolled back.';
