create or replace function avatars.apply(keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  author text := avatars.author_column();
  followed text := avatars.followed_column();
  columns text;
  surplus bigint;
begin
  -- Triggers of the app, fired by what is written here, find their names as they do at home.
  perform set_config('search_path', imago.app_search_path(), true);
  select string_agg(format('%I', a.attname), ', ') into columns
  from pg_catalog.pg_attribute a
  where a.attrelid = 'avatars.default_avatar'::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped;

  -- One statement, joined through what it has just inserted: a fresh table has no statistics to plan by.
  execute format(
    'with owners as (
       select u.id as owner, u.active_avatar_id as avatar from public.users u where u.id = any ($1)
     ), oldest as (
       select distinct on (a.owner_user_id) a.owner_user_id as owner, a.id as avatar
       from public.avatars a
       where a.owner_user_id = any (array(select o.owner from owners o where o.avatar is null))
       order by a.owner_user_id, %2$s a.id
     ), made as (
       insert into public.avatars (%1$s)
       select %1$s from avatars.default_avatar d
       where d.owner_user_id = any (
         array(select o.owner from owners o where o.avatar is null and o.owner not in (select owner from oldest)))
       returning owner_user_id as owner, id as avatar
     ), activated as (
       update public.users u set active_avatar_id = c.avatar
       from (select * from oldest union all select * from made) c where u.id = c.owner
       returning u.id as owner, c.avatar
     ), active as (
       select * from activated union all select * from owners where avatar is not null
     )%3$s%4$s
     select count(*) - count(distinct owner) from made',
    columns,
    case when avatars.first_column('public.avatars', 'created_at') is not null then 'a.created_at,' end,
    case when author is not null then format(
      ', posted as (update public.posts p set avatar_id = c.avatar from active c where p.%I = c.owner and p.avatar_id is null)', author) end,
    case when followed is not null then format(
      ', gathered as (update public.follows f set avatar_id = c.avatar from active c where f.%I = c.owner and f.avatar_id is null)', followed) end)
  into surplus using keys;
  if surplus > 0 then
    raise exception using errcode = 'IM011', message = 'more than one default avatar for a user';
  end if;
  perform avatars.fix_failed(keys);
end
$$;
comment on function avatars.apply(uuid[]) is 'Moves exactly these users: an avatar becomes active, and their posts and the follows of them get it. It is their oldest own one, or a new default one.';
