create or replace function public.retry_failed_migrations(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.retry_failed(plan);
end
$$;
comment on function public.retry_failed_migrations(text) is 'Imago: forgets that entities failed, were blocked or too large, and lets the run try them again. migrate_batch (or rollback_batch) does the work. Held entities stay held.';
