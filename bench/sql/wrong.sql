-- What a forward migration left undone or did wrong, in rows; all zero when it is right.
select
  (select count(*) from public.users u where u.active_avatar_id is null)::integer as users_without,
  (select count(*) from public.users u join public.avatars a on a.id = u.active_avatar_id where a.owner_user_id <> u.id)::integer as users_mixed_up,
  (select count(*) from public.posts p left join public.avatars a on a.id = p.avatar_id
    where a.owner_user_id is distinct from p.user_id)::integer as posts_wrong,
  (select count(*) from public.follows f left join public.avatars a on a.id = f.avatar_id
    where a.owner_user_id is distinct from f.followed_id)::integer as follows_wrong,
  (select count(*) from public.avatars)::integer - (select count(*) from public.users)::integer as avatars_too_many,
  (select count(*) from (values ('public.users', 'active_avatar_id'), ('public.posts', 'avatar_id'), ('public.follows', 'avatar_id')) v(relation, name)
    where imago.index_of(v.relation, v.name) is null)::integer as columns_without_index
