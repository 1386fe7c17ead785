create or replace function avatars.counts_query(author text, followed text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'select s.key, s.key as entity, s.users, s.users_with_avatar%1$s%2$s,
       s.users <> s.users_with_avatar%3$s%4$s as wrong
     from (
       select u.id as key, 1 as users, (a.owner_user_id is not distinct from u.id)::integer as users_with_avatar%1$s%2$s
       from public.users u left join public.avatars a on a.id = u.active_avatar_id%5$s%6$s
     ) s',
    case when p.exist then ', posts, posts_with_avatar' end,
    case when f.exist then ', follows, follows_with_avatar' end,
    case when p.exist then ' or s.posts <> s.posts_with_avatar' end,
    case when f.exist then ' or s.follows <> s.follows_with_avatar' end,
    case when p.exist then avatars.counted_rows('public.posts', 'posts', author) end,
    case when f.exist then avatars.counted_rows('public.follows', 'follows', followed) end)
  from (select avatars.countable('public.posts', author) as exist) p, (select avatars.countable('public.follows', followed) as exist) f
$$;
comment on function avatars.counts_query(text, text) is 'SQL: each user with the number of their rows on the old side and of those that the new side accounts for.';
