-- (h) One page of users, found by LIMIT and OFFSET, set-based.
with page as (
  select u.id from public.users u order by u.id limit $1 offset $2
), made as (
  insert into public.avatars (id, owner_user_id, name, bio, avatar_image_url, niche, personality_traits, metadata)
  select d.id, d.owner_user_id, d.name, d.bio, d.avatar_image_url, d.niche, d.personality_traits, d.metadata
  from avatars.default_avatar d
  join page on page.id = d.owner_user_id
  returning owner_user_id, id
), activated as (
  update public.users u set active_avatar_id = made.id from made where made.owner_user_id = u.id
), posted as (
  update public.posts p set avatar_id = made.id from made where made.owner_user_id = p.user_id
), gathered as (
  update public.follows f set avatar_id = made.id from made where made.owner_user_id = f.followed_id
)
select count(*)::integer as moved from made
