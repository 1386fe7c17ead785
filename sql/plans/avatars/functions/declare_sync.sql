create or replace function avatars.declare_sync()
returns void
language sql
volatile
set search_path = ''
as $$
  delete from imago.plan_sync s where s.plan = 'avatars' and s.relation = 'public.posts' and avatars.author_column() is null;
  delete from imago.plan_sync s where s.plan = 'avatars' and s.relation = 'public.follows' and avatars.followed_column() is null;
  insert into imago.plan_sync (plan, position, name, relation, events, columns, entity_column, statement, creates, fills, fill)
  select 'avatars', v.position, v.name, v.relation, v.events, array[v.entity_column], v.entity_column, v.statement, v.creates,
    case when v.fill is not null then 'avatar_id' end, v.fill
  from (values
    (1, 'new users', 'public.users', '{insert}'::text[], 'id',
     'select avatars.apply(array(select n.id from new_rows n))', true, null),
    (2, 'new posts', 'public.posts', '{insert,update}', avatars.author_column(),
     avatars.sync_query('public.posts', avatars.author_column()), false, avatars.fill_query(avatars.author_column())),
    (3, 'new follows', 'public.follows', '{insert,update}', avatars.followed_column(),
     avatars.sync_query('public.follows', avatars.followed_column()), false, avatars.fill_query(avatars.followed_column()))
  ) v(position, name, relation, events, entity_column, statement, creates, fill)
  where v.entity_column is not null
  on conflict (plan, position) do update set
    columns = excluded.columns, entity_column = excluded.entity_column, statement = excluded.statement, fill = excluded.fill
$$;
comment on function avatars.declare_sync() is 'Declares what follows the app''s writes, by the columns found. New users get their avatar, new posts and follows that of their user.';
