create or replace function avatars.validate_follows()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public.follows', 'follows_avatar_id_fkey')
$$;
comment on function avatars.validate_follows() is 'Direct finalize step: whether the foreign key that prepare added to follows is valid. A small table is validated at once.';
