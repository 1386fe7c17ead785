create or replace function avatars.prepare_declaration()
returns void
language sql
volatile
set search_path = ''
as $$
  delete from imago.plan_write w where w.plan = 'avatars' and w.relation = 'public.posts' and avatars.author_column() is null;
  delete from imago.plan_write w where w.plan = 'avatars' and w.relation = 'public.follows' and avatars.followed_column() is null;
  insert into imago.plan_write (plan, position, relation, entity_column, inserts, columns, points_to)
  select 'avatars', v.position, v.relation, v.entity_column, v.inserts, v.columns, v.points_to::jsonb
  from (values
    (1, 'public.avatars', 'owner_user_id', true, '{}'::text[], '{}'),
    (2, 'public.users', 'id', false, '{active_avatar_id}', '{"active_avatar_id": "public.avatars"}'),
    (3, 'public.posts', avatars.author_column(), false, '{avatar_id}', '{"avatar_id": "public.avatars"}'),
    (4, 'public.follows', avatars.followed_column(), false, '{avatar_id}', '{"avatar_id": "public.avatars"}')
  ) v(position, relation, entity_column, inserts, columns, points_to)
  where v.entity_column is not null
  on conflict (plan, relation) do update set entity_column = excluded.entity_column;
  select avatars.declare_sync()
$$;
comment on function avatars.prepare_declaration() is 'Prepare step: declares what the plan writes in this app, and what follows the app''s writes.';
