create or replace function public.rollback_user_migration(user_id uuid, force boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.rollback_entity('avatars', imago.given('user_id', user_id::text), force);
end
$$;
comment on function public.rollback_user_migration(uuid, boolean) is 'Imago: takes one user back, whole or not at all, and holds the user. No batch moves a held user again until migrate_user_to_avatar_centric asks for it. Conflicts name relation, key and reason.';
