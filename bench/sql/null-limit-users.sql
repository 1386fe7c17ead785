-- (i) The next users without an avatar, wherever they are.
with page as (
  select t.id from public.users t where t.active_avatar_id is null limit $1
), made as (
  insert into public.avatars (id, owner_user_id, name, bio, avatar_image_url, niche, personality_traits, metadata)
  select d.id, d.owner_user_id, d.name, d.bio, d.avatar_image_url, d.niche, d.personality_traits, d.metadata
  from avatars.default_avatar d
  join page on page.id = d.owner_user_id
  returning owner_user_id, id
)
update public.users u
set active_avatar_id = made.id
from made
where made.owner_user_id = u.id
