create or replace function avatars.clean_users()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  -- Prepare makes it anew.
  drop view if exists avatars.pending;
  select imago.drop_empty_column('avatars', 'public.users', 'active_avatar_id')
$$;
comment on function avatars.clean_users() is 'Clean-up step after a complete rollback: drops users.active_avatar_id if prepare added it and it is empty.';
