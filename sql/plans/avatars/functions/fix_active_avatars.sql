create or replace function avatars.fix_active_avatars(keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'update public.users u set active_avatar_id = (
       select a.id from public.avatars a where a.owner_user_id = u.id order by %s a.id limit 1)
     where u.id = any ($1) and u.active_avatar_id is not null
       and not exists (select from public.avatars a where a.id = u.active_avatar_id and a.owner_user_id = u.id)',
    case when avatars.first_column('public.avatars', 'created_at') is not null then 'a.created_at,' end) using keys;
  -- Who owns none is what apply is for.
  perform avatars.apply(keys);
end
$$;
comment on function avatars.fix_active_avatars(uuid[]) is 'Fix: whose active avatar is missing or somebody else''s gets their oldest own one, or a new default one.';
