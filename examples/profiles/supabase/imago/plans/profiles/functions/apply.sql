create or replace function profiles.apply(keys uuid[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  with made as (
    -- As in handle_new_user.
    insert into public.profiles (id, full_name, avatar_url)
    select u.id, u.raw_user_meta_data ->> 'full_name', u.raw_user_meta_data ->> 'avatar_url'
    from auth.users u
    where u.id = any (keys)
    on conflict (id) do nothing
    returning id
  )
  insert into profiles.given (entity) select m.id from made m
$$;
comment on function profiles.apply(uuid[]) is 'Gives exactly these users the profile that they would have got at sign-up, where they have none.';
