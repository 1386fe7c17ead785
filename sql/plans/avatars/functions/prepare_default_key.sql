create or replace function avatars.prepare_default_key()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if exists (
    select from pg_catalog.pg_index i
    where i.indexrelid = pg_catalog.to_regclass('public.avatars_migrated_owner_key') and i.indisvalid) then
    return true;
  end if;
  -- A table that the app has filled is read once for it, while its writers wait.
  if not imago.may_hold('public.avatars') then
    return false;
  end if;
  -- What a concurrent build that failed has left behind.
  drop index if exists public.avatars_migrated_owner_key;
  create unique index avatars_migrated_owner_key on public.avatars (owner_user_id) where (metadata @> '{"migrated": true}');
  return true;
end
$$;
comment on function avatars.prepare_default_key() is 'Direct prepare step: the unique index behind the promise of one default avatar a user. Where writers of avatars do not wait for that, or not long, it is built here and now.';
