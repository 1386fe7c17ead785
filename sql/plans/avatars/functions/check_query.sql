create or replace function avatars.check_query(name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  author text := avatars.author_column();
  followed text := avatars.followed_column();
  marked boolean := avatars.first_column('public.avatars', 'metadata') is not null;
begin
  if avatars.first_column('public.users', 'active_avatar_id') is null or avatars.first_column('public.avatars', 'owner_user_id') is null
     or name like 'posts\_%' and (author is null or avatars.first_column('public.posts', 'avatar_id') is null)
     or name like 'follows\_%' and (followed is null or avatars.first_column('public.follows', 'avatar_id') is null) then
    return null;
  end if;
  return case name
    when 'users_without_active_avatar' then
      'select u.id as key, u.id as entity from public.users u
       where u.active_avatar_id is null and not imago.is_journaled(''avatars'', ''public.users'', u.id::text)'
    when 'journal_contradicted' then
      'select u.id as key, u.id as entity from public.users u
       where u.active_avatar_id is null and imago.is_journaled(''avatars'', ''public.users'', u.id::text)'
    when 'wrong_active_avatar' then
      'select u.id as key, u.id as entity from public.users u left join public.avatars a on a.id = u.active_avatar_id
       where u.active_avatar_id is not null and a.owner_user_id is distinct from u.id'
    when 'two_default_avatars' then case when marked then
      'select a.id as key, a.owner_user_id as entity from public.avatars a
       where a.metadata @> ''{"migrated": true}'' and exists (
         select from public.avatars b
         where b.owner_user_id = a.owner_user_id and b.metadata @> ''{"migrated": true}'' and b.id < a.id)' end
    when 'orphaned_avatars' then
      'select a.id as key, a.owner_user_id as entity from public.avatars a
       where not exists (select from public.users u where u.id = a.owner_user_id)'
    when 'posts_without_avatar' then avatars.rows_without_avatar('public.posts', author)
    when 'posts_with_wrong_avatar' then avatars.rows_with_wrong_avatar('public.posts', author)
    when 'posts_of_unknown_authors' then format(
      'select p.%I as key, null::uuid as entity from public.posts p
       where not exists (select from public.users u where u.id = p.%I)', (imago.primary_key('public.posts'))[1], author)
    when 'follows_without_avatar' then avatars.rows_without_avatar('public.follows', followed)
    when 'follows_with_wrong_avatar' then avatars.rows_with_wrong_avatar('public.follows', followed)
    when 'counts' then avatars.counts_query(author, followed)
  end;
end
$$;
comment on function avatars.check_query(text) is 'SQL that lists what a check of this plan finds: key and entity. By the columns that this app has; null where it lacks them.';
