create or replace function public.rollback_all_migrations(plan text default 'avatars', force boolean default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.roll_back_all(plan, force);
end
$$;
comment on function public.rollback_all_migrations(text, boolean) is 'Imago: takes a whole migration back in one transaction. For big ones call rollback_batch until has_more is false instead: it commits as it goes and fits the API''s timeout.';
