create or replace function avatars.clean_avatars()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.drop_empty_table('avatars', 'public.avatars')
$$;
comment on function avatars.clean_avatars() is 'Clean-up step after a complete rollback: drops the table avatars if prepare added it and it is empty.';
