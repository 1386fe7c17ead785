-- (f) The way that guides show: a function for one user, with a block of its own, so that one who fails does not end the
-- others, and a function that calls it for the next users who have yet to be migrated.
create schema guide;

create function guide.migrate_user(person uuid)
returns boolean
language plpgsql
as $$
declare
  avatar uuid;
begin
  insert into public.avatars (id, owner_user_id, name, bio, avatar_image_url, niche, personality_traits, metadata)
  select d.id, d.owner_user_id, d.name, d.bio, d.avatar_image_url, d.niche, d.personality_traits, d.metadata
  from avatars.default_avatar d
  where d.owner_user_id = person
  returning id into avatar;

  update public.users set active_avatar_id = avatar where id = person;
  update public.posts set avatar_id = avatar where user_id = person and avatar_id is null;
  update public.follows set avatar_id = avatar where followed_id = person and avatar_id is null;
  return true;
exception when others then
  raise warning 'user %: %', person, sqlerrm;
  return false;
end
$$;

create function guide.migrate_users(batch_size integer)
returns integer
language plpgsql
as $$
declare
  person uuid;
  migrated integer := 0;
begin
  for person in
    select u.id from public.users u where u.active_avatar_id is null order by u.id limit batch_size
  loop
    if guide.migrate_user(person) then
      migrated := migrated + 1;
    end if;
  end loop;
  return migrated;
end
$$;
