create or replace function public.migrate_user_to_avatar_centric(user_id uuid)
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
  return imago.migrate_entity('avatars', user_id::text);
end
$$;
comment on function public.migrate_user_to_avatar_centric(uuid) is 'Imago: moves one user now, through the journal (a canary). Also releases a user who was rolled back alone.';
