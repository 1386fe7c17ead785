create or replace function avatars.prepare_default_key()
returns void
language sql
volatile
set search_path = ''
as $$
  create unique index if not exists avatars_migrated_owner_key on public.avatars (owner_user_id) where (metadata @> '{"migrated": true}')
$$;
comment on function avatars.prepare_default_key() is 'Prepare step: the unique index behind the promise of one default avatar a user.';
