create or replace function avatars.preflight()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
begin
  return query select * from imago.relation_problems('public.posts');
  return query select * from imago.relation_problems('public.follows');
  return query select * from imago.relation_problems('public.avatars', must_exist => false);
  if pg_catalog.to_regprocedure('public.expect_own_avatar()') is not null
     and not imago.is_added('avatars', 'public.expect_own_avatar()')
     -- Uninstalling leaves it to the app with its triggers, and takes the note away.
     and not exists (
       select from pg_catalog.pg_trigger t
       where t.tgfoid = pg_catalog.to_regprocedure('public.expect_own_avatar()')
         and t.tgname in ('expect_own_avatar_insert', 'expect_own_avatar_update')) then
    return query select 'error', 'taken_name', 'function public.expect_own_avatar()', 'is there already', 'The plan makes one of this name. Rename yours.';
  end if;
  return query select * from imago.column_problems('public.users', 'id', '{uuid}');
  if pg_catalog.to_regclass('public.users') is not null and avatars.first_column('public.users', 'display_name', 'username') is null then
    return query select 'error', 'missing_column', 'public.users', 'has neither display_name nor username', 'A default avatar takes its name from one of them.';
  end if;
  if pg_catalog.to_regclass('public.avatars') is not null then
    return query select * from imago.unique_problems('public.avatars', 'id', 'Users, posts and follows refer to it.');
    return query select * from imago.partition_problems('public.avatars', 'A partitioned table can have no unique index that holds one default avatar a user.');
    return query select * from imago.column_problems('public.avatars', 'id', '{uuid}');
    return query select * from imago.column_problems('public.avatars', 'owner_user_id', '{uuid}');
    return query select * from imago.column_problems('public.avatars', 'name', '{text,"character varying"}');
    -- Where the app has no such column it is added; the mark is looked for in it.
    return query
      select c.* from imago.column_problems('public.avatars', 'metadata', '{jsonb}') c
      where avatars.first_column('public.avatars', 'metadata') is not null;
    return query select * from avatars.unfit_columns();
    return query select * from avatars.unknown_columns();
  end if;
  return query
    select c.*
    from unnest(array['display_name', 'username', 'bio', 'avatar_url', 'profile_image_url']) v(name)
    join pg_catalog.pg_attribute a
      on a.attrelid = pg_catalog.to_regclass('public.users') and a.attname = v.name and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid and t.typcategory <> 'S'
    cross join lateral imago.column_problems('public.users', v.name, '{text,"character varying"}') c
    where avatars.first_column('avatars.default_avatar', 'owner_user_id') is null;
  return query
    select c.* from (values ('public.users', 'active_avatar_id'), ('public.posts', 'avatar_id'), ('public.follows', 'avatar_id'),
                            ('public.posts', avatars.author_column()), ('public.follows', avatars.followed_column())) v(relation, name)
    cross join lateral imago.column_problems(v.relation, v.name, '{uuid}') c
    where avatars.first_column(v.relation, v.name) is not null;
  if avatars.author_column() is null and pg_catalog.to_regclass('public.posts') is not null then
    return query select 'warning', 'limitation', 'public.posts', 'has no author column (user_id or author_id); posts stay as they are',
      'Posts without an avatar are for manual review.';
  end if;
  if pg_catalog.to_regclass('public.users') is not null then
    return query select * from imago.visibility('avatars', 'public.avatars', 'public.users', '{"owner_user_id": "id"}', avatars.origins());
  end if;
  return query select * from imago.index_warning('public.posts', avatars.author_column(), 'the walk');
  return query select * from imago.index_warning('public.follows', avatars.followed_column(), 'the walk');
  return query select * from imago.index_warning('public.avatars', 'owner_user_id', 'the walk');
end
$$;
comment on function avatars.preflight() is 'What speaks against starting the plan on this app: missing tables and columns, wrong types, owners, missing indexes.';
