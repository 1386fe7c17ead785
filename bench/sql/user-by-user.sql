-- (f) One user after the other, each in a block of its own, so that one who fails does not end the others.
do $$
declare
  person record;
  avatar uuid;
  failed integer := 0;
begin
  for person in select u.id from public.users u where u.active_avatar_id is null order by u.id loop
    begin
      insert into public.avatars (id, owner_user_id, name, bio, avatar_image_url, niche, personality_traits, metadata)
      select d.id, d.owner_user_id, d.name, d.bio, d.avatar_image_url, d.niche, d.personality_traits, d.metadata
      from avatars.default_avatar d
      where d.owner_user_id = person.id
      returning id into avatar;

      update public.users set active_avatar_id = avatar where id = person.id;
      update public.posts set avatar_id = avatar where user_id = person.id and avatar_id is null;
      update public.follows set avatar_id = avatar where followed_id = person.id and avatar_id is null;
    exception when others then
      failed := failed + 1;
    end;
  end loop;
  if failed > 0 then
    raise exception '% users failed', failed;
  end if;
end
$$;
