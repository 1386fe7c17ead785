create or replace function public.migrate_user_to_avatar_centric(user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.migrate_entity('avatars', imago.given('user_id', user_id::text));
end
$$;
comment on function public.migrate_user_to_avatar_centric(uuid) is 'Imago: moves one user now, through the journal (a canary). Also releases a user who was rolled back alone.';
