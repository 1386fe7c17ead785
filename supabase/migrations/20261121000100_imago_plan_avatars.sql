-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.

set local check_function_bodies = off;

-- avatars schema
select imago.create_plan('avatars', 'Default avatars for all users, with their posts and follows', 'public', 'users', 'id', 'user', 'users');

-- avatars.add_reference
create or replace function avatars.add_reference(relation text, name text, key_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if (select c.relkind from pg_catalog.pg_class c where c.oid = relation::pg_catalog.regclass) = 'p' then
    -- PostgreSQL has no foreign key on a partitioned table that is not valid. In one command with its column, which is null
    -- everywhere, it is valid without a scan.
    execute format('alter table %s add column %I uuid constraint %I references public.avatars (id) on delete set null on update cascade', relation, name, key_name);
  else
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    execute format('alter table %s add column %I uuid', relation, name);
    execute format('alter table %s add constraint %I foreign key (%I) references public.avatars (id) on delete set null on update cascade not valid', relation, key_name, name);
  end if;
  perform imago.note_added('avatars', relation, name);
end
$$;
comment on function avatars.add_reference(text, text, text) is 'For prepare steps: a column that refers to an avatar, with its foreign key.';

-- avatars.apply
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

-- avatars.author_column
create or replace function avatars.author_column()
returns text
language sql
stable
set search_path = ''
as $$
  select avatars.first_column('public.posts', 'user_id', 'author_id')
$$;
comment on function avatars.author_column() is 'The column of posts that names the author, or null: then posts stay as they are, for manual review.';

-- avatars.check_query
create or replace function avatars.check_query(name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  author text := avatars.author_column();
  followed text := avatars.followed_column();
  marked boolean := avatars.first_column('public.avatars', 'metadata') is not null;
begin
  if avatars.first_column('public.users', 'active_avatar_id') is null or avatars.first_column('public.avatars', 'owner_user_id') is null
     or name like 'posts\_%' and (author is null or avatars.first_column('public.posts', 'avatar_id') is null)
     or name like 'follows\_%' and (followed is null or avatars.first_column('public.follows', 'avatar_id') is null) then
    return null;
  end if;
  return case name
    when 'users_without_active_avatar' then
      'select u.id as key, u.id as entity from public.users u
       where u.active_avatar_id is null and not imago.is_journaled(''avatars'', ''public.users'', u.id::text)'
    when 'journal_contradicted' then
      'select u.id as key, u.id as entity from public.users u
       where u.active_avatar_id is null and imago.is_journaled(''avatars'', ''public.users'', u.id::text)'
    when 'wrong_active_avatar' then
      'select u.id as key, u.id as entity from public.users u left join public.avatars a on a.id = u.active_avatar_id
       where u.active_avatar_id is not null and a.owner_user_id is distinct from u.id'
    when 'two_default_avatars' then case when marked then
      'select a.id as key, a.owner_user_id as entity from public.avatars a
       where a.metadata @> ''{"migrated": true}'' and exists (
         select from public.avatars b
         where b.owner_user_id = a.owner_user_id and b.metadata @> ''{"migrated": true}'' and b.id < a.id)' end
    when 'orphaned_avatars' then
      'select a.id as key, a.owner_user_id as entity from public.avatars a
       where not exists (select from public.users u where u.id = a.owner_user_id)'
    when 'posts_without_avatar' then avatars.rows_without_avatar('public.posts', author)
    when 'posts_with_wrong_avatar' then avatars.rows_with_wrong_avatar('public.posts', author)
    when 'posts_of_unknown_authors' then format(
      'select p.%I as key, null::uuid as entity from public.posts p
       where not exists (select from public.users u where u.id = p.%I)', (imago.primary_key('public.posts'))[1], author)
    when 'follows_without_avatar' then avatars.rows_without_avatar('public.follows', followed)
    when 'follows_with_wrong_avatar' then avatars.rows_with_wrong_avatar('public.follows', followed)
    when 'counts' then avatars.counts_query(author, followed)
  end;
end
$$;
comment on function avatars.check_query(text) is 'SQL that lists what a check of this plan finds: key and entity. By the columns that this app has; null where it lacks them.';

-- avatars.clean_avatars
create or replace function avatars.clean_avatars()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A column that holds values has stayed, with its guard.
  if not exists (select from pg_catalog.pg_trigger t where t.tgfoid = pg_catalog.to_regprocedure('public.expect_own_avatar()')) then
    drop function if exists public.expect_own_avatar();
  end if;
  return imago.drop_empty_table('avatars', 'public.avatars');
end
$$;
comment on function avatars.clean_avatars() is 'Clean-up step after a complete rollback: drops the guard''s function and the table avatars. The function where no column has it any more; the table if prepare added it and it is empty.';

-- avatars.clean_column
create or replace function avatars.clean_column(relation text, name text, owner_column text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  guarded constant boolean := exists (
    select from pg_catalog.pg_trigger t where t.tgrelid = pg_catalog.to_regclass(relation) and t.tgname = 'expect_own_avatar_insert');
  said jsonb;
begin
  -- Prepare makes it again.
  drop view if exists avatars.pending;
  if not imago.is_added('avatars', relation, name) then
    return null;
  end if;
  if guarded then
    execute format('drop trigger expect_own_avatar_insert on %s', relation);
    execute format('drop trigger expect_own_avatar_update on %s', relation);
  end if;
  said := imago.drop_empty_column('avatars', relation, name);
  if guarded and avatars.first_column(relation, name) is not null then
    perform avatars.guard_column(relation, name, owner_column);
  end if;
  return said;
end
$$;
comment on function avatars.clean_column(text, text, text) is 'Drops a column that prepare added, with the triggers that guard it, if it is empty.';

-- avatars.clean_follows
create or replace function avatars.clean_follows()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select avatars.clean_column('public.follows', 'avatar_id', avatars.followed_column())
$$;
comment on function avatars.clean_follows() is 'Clean-up step after a complete rollback: drops follows.avatar_id if prepare added it and it is empty.';

-- avatars.clean_posts
create or replace function avatars.clean_posts()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select avatars.clean_column('public.posts', 'avatar_id', avatars.author_column())
$$;
comment on function avatars.clean_posts() is 'Clean-up step after a complete rollback: drops posts.avatar_id if prepare added it and it is empty.';

-- avatars.clean_users
create or replace function avatars.clean_users()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select avatars.clean_column('public.users', 'active_avatar_id', 'id')
$$;
comment on function avatars.clean_users() is 'Clean-up step after a complete rollback: drops users.active_avatar_id if prepare added it and it is empty.';

-- avatars.countable
create or replace function avatars.countable(relation text, owner_column text)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- Without an index each user would cost a read of the whole table.
  select owner_column is not null and avatars.first_column(relation, 'avatar_id') is not null
    and (imago.estimated_rows(relation) < 10000 or not exists (select from imago.index_warning(relation, owner_column, 'the check')))
$$;
comment on function avatars.countable(text, text) is 'Whether the rows of a relation can be counted user by user: it has the columns, and is small or indexed.';

-- avatars.counted_rows
create or replace function avatars.counted_rows(relation text, name text, owner_column text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    ' cross join lateral (
        select count(*) as %1$s, count(b.id) as %1$s_with_avatar
        from %2$s t left join public.avatars b on b.id = t.avatar_id and b.owner_user_id = u.id where t.%3$I = u.id) %1$s_of_user',
    name, relation, owner_column)
$$;
comment on function avatars.counted_rows(text, text, text) is 'SQL: a join that counts the rows of user u in a relation, and those of them that carry an avatar of theirs.';

-- avatars.counts_query
create or replace function avatars.counts_query(author text, followed text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'select s.key, s.key as entity, s.users, s.users_with_avatar%1$s%2$s,
       s.users <> s.users_with_avatar%3$s%4$s as wrong
     from (
       select u.id as key, 1 as users, (a.owner_user_id is not distinct from u.id)::integer as users_with_avatar%1$s%2$s
       from public.users u left join public.avatars a on a.id = u.active_avatar_id%5$s%6$s
     ) s',
    case when p.exist then ', posts, posts_with_avatar' end,
    case when f.exist then ', follows, follows_with_avatar' end,
    case when p.exist then ' or s.posts <> s.posts_with_avatar' end,
    case when f.exist then ' or s.follows <> s.follows_with_avatar' end,
    case when p.exist then avatars.counted_rows('public.posts', 'posts', author) end,
    case when f.exist then avatars.counted_rows('public.follows', 'follows', followed) end)
  from (select avatars.countable('public.posts', author) as exist) p, (select avatars.countable('public.follows', followed) as exist) f
$$;
comment on function avatars.counts_query(text, text) is 'SQL: each user with the number of their rows on the old side and of those that the new side accounts for.';

-- avatars.declare_sync
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

-- avatars.default_values
create or replace function avatars.default_values()
returns table (column_name text, expression text, sources text[])
language sql
stable
set search_path = ''
as $$
  with names as (
    select
      avatars.first_column('public.users', 'display_name') as display_name,
      avatars.first_column('public.users', 'username') as username,
      avatars.first_column('public.users', 'bio') as bio,
      avatars.first_column('public.users', 'avatar_url', 'profile_image_url') as image
  )
  select v.column_name, v.expression, array_remove(v.sources, null)
  from names n
  cross join lateral (
    values
      ('id', 'gen_random_uuid()', '{}'::text[]),
      ('owner_user_id', 'u.id', '{id}'),
      ('name', format('coalesce(%s ''Avatar'')', concat(
        case when n.display_name is not null then format('nullif(btrim(u.%I), ''''), ', n.display_name) end,
        case when n.username is not null then format('nullif(btrim(u.%I), ''''), ', n.username) end)), array[n.display_name, n.username]),
      ('bio', case when n.bio is null then '''''::text' else format('coalesce(u.%I, '''')', n.bio) end, array[n.bio]),
      ('avatar_image_url', case when n.image is null then 'null::text' else format('u.%I', n.image) end, array[n.image]),
      ('niche', '''other''::text', '{}'),
      ('personality_traits', 'array[''friendly'', ''creative'']', '{}'),
      ('personality_prompt', '''A friendly and creative persona.''::text', '{}'),
      ('metadata', 'jsonb_build_object(''migrated'', true)', '{}')
  ) v(column_name, expression, sources)
$$;
comment on function avatars.default_values() is 'Columns that a default avatar can fill in this app. Each has its SQL expression over public.users u, and the columns in it.';

-- avatars.fill_query
create or replace function avatars.fill_query(owner_column text)
returns text
language sql
immutable
strict
set search_path = ''
as $$
  select format(
    'select source.active_avatar_id
     from public.users source join public.avatars a on a.id = source.active_avatar_id and a.owner_user_id = source.id
     where source.id = new.%I', owner_column)
$$;
comment on function avatars.fill_query(text) is 'SQL of a sync: the avatar of a new row, which is the active one of its user, if that is theirs. Null where there is no such column.';

-- avatars.first_column
create or replace function avatars.first_column(relation text, variadic names text[])
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select n.name
    from unnest(names) with ordinality n(name, position)
    join pg_catalog.pg_attribute a
      on a.attrelid = pg_catalog.to_regclass(relation) and a.attname = n.name and a.attnum > 0 and not a.attisdropped
    order by n.position
    limit 1);
end
$$;
comment on function avatars.first_column(text, text[]) is 'The first of the names that the relation has as a column, or null.';

-- avatars.fix_active_avatars
create or replace function avatars.fix_active_avatars(keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'update public.users u set active_avatar_id = (
       select a.id from public.avatars a where a.owner_user_id = u.id order by %s a.id limit 1)
     where u.id = any ($1) and u.active_avatar_id is not null
       and not exists (select from public.avatars a where a.id = u.active_avatar_id and a.owner_user_id = u.id)',
    case when avatars.first_column('public.avatars', 'created_at') is not null then 'a.created_at,' end) using keys;
  -- Who owns none is what apply is for.
  perform avatars.apply(keys);
end
$$;
comment on function avatars.fix_active_avatars(uuid[]) is 'Fix: whose active avatar is missing or somebody else''s gets their oldest own one, or a new default one.';

-- avatars.fix_failed
create or replace function avatars.fix_failed(keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  failed uuid[];
begin
  if not imago.has_failed_syncs('avatars') then
    return;
  end if;
  select array_agg(k) into failed from unnest(keys) k where imago.last_failed_sync('avatars', k::text) is not null;
  if failed is not null then
    perform avatars.fix_posts(failed) where avatars.author_column() is not null;
    perform avatars.fix_follows(failed) where avatars.followed_column() is not null;
  end if;
end
$$;
comment on function avatars.fix_failed(uuid[]) is 'Gives rows that changed hands as a sync failed the right avatar.';

-- avatars.fix_follows
create or replace function avatars.fix_follows(keys uuid[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  select avatars.fix_rows('public.follows', avatars.followed_column(), keys)
$$;
comment on function avatars.fix_follows(uuid[]) is 'Fix: follows with a wrong avatar get that of the followed user.';

-- avatars.fix_posts
create or replace function avatars.fix_posts(keys uuid[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  select avatars.fix_rows('public.posts', avatars.author_column(), keys)
$$;
comment on function avatars.fix_posts(uuid[]) is 'Fix: posts with a wrong avatar get that of their author.';

-- avatars.fix_rows
create or replace function avatars.fix_rows(relation text, owner_column text, keys uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  execute format(
    'update %1$s t set avatar_id = u.active_avatar_id from public.users u
     where t.%2$I = any ($1) and u.id = t.%2$I and t.avatar_id is distinct from u.active_avatar_id and %3$s',
    relation, owner_column, avatars.is_wrong('t', owner_column)) using keys;
end
$$;
comment on function avatars.fix_rows(text, text, uuid[]) is 'Rows of these users that carry an avatar which is missing or another''s get the user''s active one.';

-- avatars.followed_column
create or replace function avatars.followed_column()
returns text
language sql
stable
set search_path = ''
as $$
  select avatars.first_column('public.follows', 'followed_id', 'following_id', 'followed_user_id')
$$;
comment on function avatars.followed_column() is 'The column of follows that names the followed user, or null: such follows are avatar-based already.';

-- avatars.guard_column
create or replace function avatars.guard_column(relation text, name text, owner_column text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  event text;
begin
  if owner_column is null then
    return;
  end if;
  perform avatars.make_guard();
  -- The condition is asked with the rights of the writer. Where row security does not apply to the writer, as for the app's
  -- server and batches, they may write what they think right. A row whose avatar stays as it was is not looked at.
  foreach event in array array['insert', 'update'] loop
    execute format(
      'create or replace trigger %1$I after %2$s %7$s on %3$s for each row
         when (new.%4$I is not null %5$s and pg_catalog.row_security_active(''public.avatars''::pg_catalog.regclass))
         execute function public.expect_own_avatar(%4$L, %6$L)',
      'expect_own_avatar_' || event, event, relation, name,
      case event when 'update' then format('and new.%1$I is distinct from old.%1$I', name) end, owner_column,
      -- Where a statement does not name the column, its condition is not even prepared.
      case event when 'update' then format('of %I', name) end);
  end loop;
end
$$;
comment on function avatars.guard_column(text, text, text) is 'Has a relation refuse avatars that do not belong to the owner of the row, when people write them. Roles that bypass row security may write them.';

-- avatars.is_wrong
create or replace function avatars.is_wrong(alias text, owner_column text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    '%1$s.avatar_id is not null and not exists (
       select from public.avatars a where a.id = %1$s.avatar_id and a.owner_user_id = %1$s.%2$I)',
    alias, owner_column)
$$;
comment on function avatars.is_wrong(text, text) is 'SQL: whether the avatar of a row is missing, or another user''s.';

-- avatars.make_guard
create or replace function avatars.make_guard()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- In schema public and not in the plan's: it has to outlive Imago, as the columns do.
  create or replace function public.expect_own_avatar()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  as $body$
  begin
    if not exists (
      select from public.avatars a
      where a.id = (to_jsonb(new) ->> tg_argv[0])::uuid and a.owner_user_id = (to_jsonb(new) ->> tg_argv[1])::uuid) then
      raise exception using errcode = '42501',
        message = format('%s of %I must be an avatar of its %s', tg_argv[0], tg_table_name, tg_argv[1]);
    end if;
    return null;
  end
  $body$;
  comment on function public.expect_own_avatar() is 'Made by Imago: an avatar that a person writes into a row must belong to the owner of the row.';
  -- Looked up at each call: after clean-up it is another one.
  perform imago.keep_trigger_function('avatars', pg_catalog.to_regprocedure('public.expect_own_avatar()'));
end
$$;
comment on function avatars.make_guard() is 'Makes the function that guard_column has triggers call.';

-- avatars.origins
create or replace function avatars.origins()
returns jsonb
language sql
stable
set search_path = ''
as $$
  -- A view of somebody's own may put any column of users that it reads into any column of avatars.
  with read as (
    select coalesce(array_agg(distinct a.attname::text), '{}') as columns
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = r.oid
    join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where r.ev_class = pg_catalog.to_regclass('avatars.default_avatar')
      and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = pg_catalog.to_regclass('public.users')
  )
  select jsonb_object_agg(v.column_name, case
    when v.column_name in ('id', 'owner_user_id') or pg_catalog.to_regclass('avatars.default_avatar') is null then to_jsonb(v.sources)
    else to_jsonb(r.columns) end) || '{"created_at": [], "updated_at": []}'
  from avatars.default_values() v cross join read r
  where v.column_name <> 'personality_prompt'
$$;
comment on function avatars.origins() is 'The columns of public.avatars, each with the columns of public.users that a default avatar has its value from.';

-- avatars.preflight
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

-- avatars.prepare_avatars
create or replace function avatars.prepare_avatars()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regclass('public.avatars') is not null then
    alter table public.avatars add column if not exists metadata jsonb;
    return;
  end if;
  create table public.avatars (
    id uuid primary key default gen_random_uuid(),
    owner_user_id uuid not null references public.users (id) on delete cascade on update cascade,
    name text not null,
    bio text,
    avatar_image_url text,
    niche text,
    personality_traits text[],
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  );
  comment on table public.avatars is 'Avatars of users. Default ones carry {"migrated": true} in metadata.';
  perform imago.note_added('avatars', 'public.avatars');
  create index avatars_owner_user_id_idx on public.avatars (owner_user_id);
  alter table public.avatars enable row level security;
  -- What the app wants public, or written by its users, it says itself (docs/avatars.md).
  perform imago.show_as('public.avatars', 'public.users', '{"owner_user_id": "id"}', avatars.origins());
end
$$;
comment on function avatars.prepare_avatars() is 'Prepare step: public.avatars, created where it is missing and as visible as public.users. An existing one gets only the nullable column metadata, for the mark.';

-- avatars.prepare_declaration
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

-- avatars.prepare_default_key
create or replace function avatars.prepare_default_key()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if exists (
    select from pg_catalog.pg_index i
    where i.indexrelid = pg_catalog.to_regclass('public.avatars_migrated_owner_key') and i.indisvalid) then
    return true;
  end if;
  -- A table that the app has filled is read once for it, while its writers wait.
  if not imago.may_hold('public.avatars') then
    return false;
  end if;
  -- What a concurrent build that failed has left behind.
  drop index if exists public.avatars_migrated_owner_key;
  create unique index avatars_migrated_owner_key on public.avatars (owner_user_id) where (metadata @> '{"migrated": true}');
  return true;
end
$$;
comment on function avatars.prepare_default_key() is 'Direct prepare step: the unique index behind the promise of one default avatar a user. Where writers of avatars do not wait for that, or not long, it is built here and now.';

-- avatars.prepare_follows
create or replace function avatars.prepare_follows()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.follows', 'avatar_id') is null then
    perform avatars.add_reference('public.follows', 'avatar_id', 'follows_avatar_id_fkey');
    perform avatars.guard_column('public.follows', 'avatar_id', avatars.followed_column());
  end if;
end
$$;
comment on function avatars.prepare_follows() is 'Prepare step: follows.avatar_id with foreign key and guard, where the app has no such column; its own is used as it is.';

-- avatars.prepare_posts
create or replace function avatars.prepare_posts()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.posts', 'avatar_id') is null then
    perform avatars.add_reference('public.posts', 'avatar_id', 'posts_avatar_id_fkey');
    perform avatars.guard_column('public.posts', 'avatar_id', avatars.author_column());
  end if;
end
$$;
comment on function avatars.prepare_posts() is 'Prepare step: posts.avatar_id with foreign key and guard, where the app has no such column; its own is used as it is.';

-- avatars.prepare_users
create or replace function avatars.prepare_users()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.users', 'active_avatar_id') is null then
    perform avatars.add_reference('public.users', 'active_avatar_id', 'users_active_avatar_id_fkey');
    perform avatars.guard_column('public.users', 'active_avatar_id', 'id');
  end if;
end
$$;
comment on function avatars.prepare_users() is 'Prepare step: users.active_avatar_id with foreign key and guard, where the app has no such column. Its own is used as it is.';

-- avatars.prepare_views
create or replace function avatars.prepare_views()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  conditions text := 'u.active_avatar_id is null';
  wrong text[] := '{}';
begin
  if pg_catalog.to_regclass('avatars.default_avatar') is null then
    execute (
      select format('create view avatars.default_avatar as select %s from public.users u',
                    string_agg(format('%s as %I', v.expression, v.column_name), ', '))
      from avatars.default_values() v
      where avatars.first_column('public.avatars', v.column_name) is not null);
    comment on view avatars.default_avatar is 'What a default avatar holds: owner_user_id and any columns of public.avatars, one row a user. Replace it to get other avatars.';
  end if;

  if avatars.author_column() is not null then
    conditions := conditions || format(
      ' or exists (select from public.posts p where p.%I = u.id and p.avatar_id is null)', avatars.author_column());
    wrong := wrong || format(
      'exists (select from public.posts p where p.%I = u.id and %s)', avatars.author_column(),
      avatars.is_wrong('p', avatars.author_column()));
  end if;
  if avatars.followed_column() is not null then
    conditions := conditions || format(
      ' or exists (select from public.follows f where f.%I = u.id and f.avatar_id is null)', avatars.followed_column());
    wrong := wrong || format(
      'exists (select from public.follows f where f.%I = u.id and %s)', avatars.followed_column(),
      avatars.is_wrong('f', avatars.followed_column()));
  end if;
  -- Who has lost or gained rows while a sync failed. All others are not looked at row by row.
  if wrong <> '{}' then
    conditions := conditions || format(
      ' or (select imago.has_failed_syncs(''avatars''))
          and imago.last_failed_sync(''avatars'', u.id::text) is not null and (%s)',
      array_to_string(wrong, ' or '));
  end if;
  execute format('create or replace view avatars.pending as select u.id as entity from public.users u where %s', conditions);
  comment on view avatars.pending is 'Users who have yet to be moved, or rows of theirs, also after a sync that failed.';
end
$$;
comment on function avatars.prepare_views() is 'Prepare step: the views default_avatar (kept if somebody made their own) and pending, from the columns found.';

-- avatars.rows_with_wrong_avatar
create or replace function avatars.rows_with_wrong_avatar(relation text, owner_column text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'select t.%1$I as key, t.%2$I as entity from %3$s t
     where %4$s and exists (select from public.users u where u.id = t.%2$I)',
    (imago.primary_key(relation))[1], owner_column, relation, avatars.is_wrong('t', owner_column))
$$;
comment on function avatars.rows_with_wrong_avatar(text, text) is 'SQL: rows whose avatar is missing or belongs to another user than the row does.';

-- avatars.rows_without_avatar
create or replace function avatars.rows_without_avatar(relation text, owner_column text)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'select t.%1$I as key, t.%2$I as entity from %3$s t join public.users u on u.id = t.%2$I
     where t.avatar_id is null and u.active_avatar_id is not null',
    (imago.primary_key(relation))[1], owner_column, relation)
$$;
comment on function avatars.rows_without_avatar(text, text) is 'SQL: rows that have no avatar although their user has an active one.';

-- avatars.statistics
create or replace function avatars.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  total bigint := 0;
  migrated bigint := 0;
begin
  if pg_catalog.to_regclass('public.avatars') is not null then
    execute 'select count(*) from public.avatars' into total;
    if avatars.first_column('public.avatars', 'metadata') is not null then
      execute 'select count(*) from public.avatars where metadata @> ''{"migrated": true}''' into migrated;
    end if;
  end if;
  return jsonb_build_object('total_avatars', total, 'migrated_avatars', migrated);
end
$$;
comment on function avatars.statistics() is 'What get_migration_statistics adds for this plan: avatars in all, and those that carry the mark.';

-- avatars.sync_query
create or replace function avatars.sync_query(relation text, owner_column text)
returns text
language plpgsql
stable
strict
set search_path = ''
as $$
declare
  key text[] := imago.primary_key(relation);
begin
  return format(
    'update %1$s t set avatar_id = u.active_avatar_id
     from new_rows n join public.users u on u.id = n.%2$I
     where %3$s and t.avatar_id is distinct from u.active_avatar_id
       and (t.avatar_id is null
            or exists (select from old_rows o where %4$s)
               and not exists (select from public.avatars a where a.id = t.avatar_id and a.owner_user_id = u.id))',
    relation, owner_column,
    (select string_agg(format('t.%1$I = n.%1$I', k), ' and ') from unnest(key) k),
    (select string_agg(format('o.%1$I = n.%1$I', k), ' and ') from unnest(key) k));
end
$$;
comment on function avatars.sync_query(text, text) is 'SQL of a sync: rows that the app has just written get the active avatar of their user, if they have one. Rows that have changed hands get that of the new user. Rows with an avatar of theirs keep it. Null where there is no such column.';

-- avatars.unfit_columns
create or replace function avatars.unfit_columns()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select c.severity, c.kind, c.object, c.message,
    c.hint || ' Or create the view avatars.default_avatar yourself with a value that fits.'
  from (
    values
      ('bio', '{text}'::text[]), ('avatar_image_url', '{text}'), ('niche', '{text}'), ('personality_prompt', '{text}'),
      ('personality_traits', '{text[]}')
  ) v(name, types)
  join pg_catalog.pg_attribute a
    on a.attrelid = pg_catalog.to_regclass('public.avatars') and a.attname = v.name and not a.attisdropped
  join pg_catalog.pg_type t on t.oid = a.atttypid
  cross join lateral imago.column_problems('public.avatars', v.name, v.types) c
  where avatars.first_column('avatars.default_avatar', 'owner_user_id') is null
    and not (v.types = '{text}' and t.typcategory = 'S')
    and not (v.types = '{text[]}' and t.typcategory = 'A' and t.typelem in (
      select e.oid from pg_catalog.pg_type e where e.typcategory = 'S'))
$$;
comment on function avatars.unfit_columns() is 'Columns of an existing avatars table whose type cannot hold what the default avatar has for them.';

-- avatars.unknown_columns
create or replace function avatars.unknown_columns()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'no_value', format('public.avatars.%I', a.attname), 'is not null, has no default, and the plan has no value for it',
    'Give it a default, or create the view avatars.default_avatar yourself with a value for it.'
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass('public.avatars') and a.attnum > 0 and not a.attisdropped
    and a.attnotnull and not a.atthasdef and a.attidentity = ''
    and a.attname not in (select v.column_name from avatars.default_values() v)
    and avatars.first_column('avatars.default_avatar', a.attname) is null
$$;
comment on function avatars.unknown_columns() is 'Columns of an existing avatars table that must have a value and for which the default avatar has none.';

-- avatars.validate_follows
create or replace function avatars.validate_follows()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public.follows', 'follows_avatar_id_fkey')
$$;
comment on function avatars.validate_follows() is 'Direct finalize step: whether the foreign key that prepare added to follows is valid. A small table is validated at once.';

-- avatars.validate_posts
create or replace function avatars.validate_posts()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public.posts', 'posts_avatar_id_fkey')
$$;
comment on function avatars.validate_posts() is 'Direct finalize step: whether the foreign key that prepare added to posts is valid; a small table is validated at once.';

-- avatars.validate_users
create or replace function avatars.validate_users()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select imago.validate_constraint('public.users', 'users_active_avatar_id_fkey')
$$;
comment on function avatars.validate_users() is 'Direct finalize step: whether the foreign key that prepare added to users is valid; a small table is validated at once.';

-- avatars registration
insert into imago.plan_step (plan, position, name, routine) values
  ('avatars', 1, 'table avatars', 'prepare_avatars'),
  ('avatars', 3, 'users.active_avatar_id', 'prepare_users'),
  ('avatars', 4, 'posts.avatar_id', 'prepare_posts'),
  ('avatars', 5, 'follows.avatar_id', 'prepare_follows'),
  ('avatars', 6, 'views', 'prepare_views'),
  ('avatars', 7, 'declaration', 'prepare_declaration');

insert into imago.plan_step (plan, position, name, phase, routine, direct, statement) values
  ('avatars', 2, 'one default avatar a user', 'prepare', 'prepare_default_key', true,
   'create unique index concurrently avatars_migrated_owner_key on public.avatars (owner_user_id) where (metadata @> ''{"migrated": true}'')'),
  ('avatars', 8, 'foreign key of users.active_avatar_id', 'finalize', 'validate_users', true,
   'alter table public.users validate constraint users_active_avatar_id_fkey'),
  ('avatars', 9, 'foreign key of posts.avatar_id', 'finalize', 'validate_posts', true,
   'alter table public.posts validate constraint posts_avatar_id_fkey'),
  ('avatars', 10, 'foreign key of follows.avatar_id', 'finalize', 'validate_follows', true,
   'alter table public.follows validate constraint follows_avatar_id_fkey');

insert into imago.plan_step (plan, position, name, phase, routine, only_after) values
  ('avatars', 11, 'users.active_avatar_id, if empty', 'cleanup', 'clean_users', 'rollback'),
  ('avatars', 12, 'posts.avatar_id, if empty', 'cleanup', 'clean_posts', 'rollback'),
  ('avatars', 13, 'follows.avatar_id, if empty', 'cleanup', 'clean_follows', 'rollback'),
  ('avatars', 14, 'table avatars, if empty', 'cleanup', 'clean_avatars', 'rollback');

insert into imago.plan_check (plan, position, name, severity, phase, source, counts, fix, meaning, remedy) values
  ('avatars', 1, 'users_without_active_avatar', 'error', 'after', 'public.users', false, 'apply',
   'A user has no active avatar and was never given one: they came later, failed, or are held.',
   'Move them: migrate_batch, retry_failed_migrations for who has failed, migrate_user_to_avatar_centric for who is held.'),
  ('avatars', 2, 'journal_contradicted', 'error', 'during', 'public.users', false, 'apply',
   'The journal says that a user was migrated, and they have no active avatar: somebody has taken or removed it.',
   'Fix gives them their oldest avatar, or a new default one; or take the user back.'),
  ('avatars', 3, 'wrong_active_avatar', 'error', 'during', 'public.users', false, 'fix_active_avatars',
   'The active avatar of a user does not exist, or belongs to somebody else.',
   'Fix gives them their oldest avatar, or a new default one.'),
  ('avatars', 4, 'two_default_avatars', 'error', 'during', 'public.avatars', false, null,
   'A user has more than one default avatar; the key is that of the surplus one.',
   'Drop the mark of the one that is not active: update avatars set metadata = metadata - ''migrated'' where id = <key>. Not fixed by itself: what the plan does not declare could not be taken back.'),
  ('avatars', 5, 'orphaned_avatars', 'warning', 'during', 'public.avatars', false, null,
   'The owner of an avatar does not exist.',
   'Look what refers to it, then delete it. Not fixed by itself: a deleted row could not be taken back.'),
  ('avatars', 6, 'posts_without_avatar', 'error', 'after', 'public.posts', false, 'apply',
   'A post has no avatar although its author has one: the app has written it since without.',
   'Fix gives it the author''s active avatar; so does migrate_batch. Have the app write avatar_id.'),
  ('avatars', 7, 'posts_with_wrong_avatar', 'error', 'during', 'public.posts', false, 'fix_posts',
   'The avatar of a post does not exist, or belongs to another than its author.',
   'Fix gives it the author''s active avatar.'),
  ('avatars', 8, 'posts_of_unknown_authors', 'manual', 'during', 'public.posts', false, null,
   'The author of a post does not exist: there is no avatar that it could have.',
   'Decide post by post: give it an author, or delete it. Never fixed by itself.'),
  ('avatars', 9, 'follows_without_avatar', 'error', 'after', 'public.follows', false, 'apply',
   'A follow points to no avatar although the followed user has one.',
   'Fix points it to the active avatar of the followed user; so does migrate_batch.'),
  ('avatars', 10, 'follows_with_wrong_avatar', 'error', 'during', 'public.follows', false, 'fix_follows',
   'A follow points to an avatar that does not exist, or that is not the followed user''s.',
   'Fix points it to the active avatar of the followed user.'),
  ('avatars', 11, 'counts', 'warning', 'after', 'public.users', true, null,
   'For a user the rows of the old side (their own, their posts, the follows of them) are not as many as the new side accounts for. Facts has the sums.',
   'A cross-check, counted by itself: what is wrong is in the checks above.');

select imago.revoke_plan_functions('avatars');
