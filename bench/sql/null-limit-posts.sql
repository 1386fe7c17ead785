-- (i) The next posts without an avatar, wherever they are; their users have one by then.
with page as (
  select t.id, u.active_avatar_id
  from public.posts t
  join public.users u on u.id = t.user_id
  where t.avatar_id is null
  limit $1
)
update public.posts t
set avatar_id = page.active_avatar_id
from page
where page.id = t.id
