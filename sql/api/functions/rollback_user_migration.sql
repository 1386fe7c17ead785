create or replace function public.rollback_user_migration(user_id uuid, force boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if user_id is null then
    perform imago.raise_error('IM004', 'user_id');
  end if;
  return imago.rollback_entity('avatars', user_id::text, force);
end
$$;
comment on function public.rollback_user_migration(uuid, boolean) is 'Imago: takes one user back, whole or not at all, and holds them: no batch moves them again until migrate_user_to_avatar_centric asks for it. Conflicts name relation, key and reason.';
