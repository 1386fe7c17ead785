create or replace function public.prepare_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.prepare_step(plan);
end
$$;
comment on function public.prepare_migration(text) is 'Imago: does the next prepare step of a plan (one relation, short lock timeout). Call until has_more is false. migrate_batch does this by itself.';
