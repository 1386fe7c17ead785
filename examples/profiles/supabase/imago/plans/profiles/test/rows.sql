-- Made-up users: two of three signed up before there was a trigger, every sixth with no name. Who has a profile has changed it.
create function imago_sample.rows(first integer, last integer)
returns void
language sql
as $$
  insert into auth.users (id, email, raw_user_meta_data)
  select md5('user ' || i)::uuid, 'user' || i || '@example.com', case when i % 6 > 0 then jsonb_build_object('full_name', 'User ' || i) end
  from generate_series(first, last) i
  on conflict do nothing;
  delete from public.profiles p using generate_series(first, last) i where i % 3 > 0 and p.id = md5('user ' || i)::uuid;
  update public.profiles p set username = 'own' || i, full_name = null
  from generate_series(first, last) i
  where i % 3 = 0 and p.id = md5('user ' || i)::uuid;
$$;
