insert into imago.plan (name, title, source_schema, source_table, key_column)
values ('avatars', 'Default avatars for all users, with their posts and follows', 'public', 'users', 'id');

insert into imago.plan_step (plan, position, name, routine) values
  ('avatars', 1, 'table avatars', 'prepare_avatars'),
  ('avatars', 2, 'one default avatar a user', 'prepare_default_key'),
  ('avatars', 3, 'users.active_avatar_id', 'prepare_users'),
  ('avatars', 4, 'posts.avatar_id', 'prepare_posts'),
  ('avatars', 5, 'follows.avatar_id', 'prepare_follows'),
  ('avatars', 6, 'index on users.active_avatar_id', 'index_users'),
  ('avatars', 7, 'index on posts.avatar_id', 'index_posts'),
  ('avatars', 8, 'index on follows.avatar_id', 'index_follows'),
  ('avatars', 9, 'views', 'prepare_views'),
  ('avatars', 10, 'declaration', 'prepare_declaration');

do $$
declare
  routine regprocedure;
begin
  for routine in select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'avatars'::regnamespace loop
    execute format('revoke all on function %s from public, anon, authenticated', routine);
  end loop;
end
$$;
