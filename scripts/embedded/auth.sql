-- @supabase/lite writes metadata as text within a JSON string. On hosted Supabase they are objects, so that
-- raw_app_meta_data || '{"imago_role": "operator"}' gives a user a role.
create or replace function auth.unpack_metadata()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if jsonb_typeof(new.raw_app_meta_data) = 'string' then
    new.raw_app_meta_data = (new.raw_app_meta_data #>> '{}')::jsonb;
  end if;
  if jsonb_typeof(new.raw_user_meta_data) = 'string' then
    new.raw_user_meta_data = (new.raw_user_meta_data #>> '{}')::jsonb;
  end if;
  return new;
end
$$;

create or replace trigger unpack_metadata
before insert or update of raw_app_meta_data, raw_user_meta_data on auth.users
for each row
execute function auth.unpack_metadata();
