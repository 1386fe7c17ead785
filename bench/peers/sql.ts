/** What the hand-written peers say to the database. Pages go by what has no avatar yet, in the order of keys. */

const columns = 'id, owner_user_id, name, bio, avatar_image_url, niche, personality_traits, metadata';

/** The next users, with their posts and follows; answers how many. $1: how many at most. */
export const pageThere = `
  with page as (
    select u.id from public.users u where u.active_avatar_id is null order by u.id limit $1
  ), made as (
    insert into public.avatars (${columns})
    select d.${columns.replaceAll(', ', ', d.')} from avatars.default_avatar d join page on page.id = d.owner_user_id
    returning owner_user_id, id
  ), activated as (
    update public.users u set active_avatar_id = made.id from made where made.owner_user_id = u.id
  ), posted as (
    update public.posts p set avatar_id = made.id from made where made.owner_user_id = p.user_id
  ), gathered as (
    update public.follows f set avatar_id = made.id from made where made.owner_user_id = f.followed_id
  )
  select count(*)::integer as moved from made`;

/** And back: what was null before is null again. In statements of their own, for the avatars go last. */
export const pageBack = [
  `create temporary table page on commit drop as
   select u.id, u.active_avatar_id as avatar from public.users u where u.active_avatar_id is not null order by u.id limit 1000`,
  'update public.users u set active_avatar_id = null from page where page.id = u.id',
  'update public.posts p set avatar_id = null from page where page.avatar = p.avatar_id',
  'update public.follows f set avatar_id = null from page where page.avatar = f.avatar_id',
  'delete from public.avatars a using page where page.avatar = a.id',
];

/** All of it back, in one transaction. */
export const allBack = `
  begin;
  update public.users set active_avatar_id = null where active_avatar_id is not null;
  update public.posts set avatar_id = null where avatar_id is not null;
  update public.follows set avatar_id = null where avatar_id is not null;
  delete from public.avatars;
  commit`;
