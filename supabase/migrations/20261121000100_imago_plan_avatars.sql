-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.

set local check_function_bodies = off;

-- sql/plans/avatars/schema.sql
do $$
begin
  if pg_catalog.to_regnamespace('avatars') is not null then
    raise exception using errcode = 'IM012', message = 'names that Imago needs are taken: schema avatars',
      hint = 'Rename or drop them, then push again. Nothing has been changed.';
  end if;
end
$$;
create schema avatars;
comment on schema avatars is 'Imago plan avatars: a user-centric profile system becomes avatar-centric.';
revoke all on schema avatars from public;

-- sql/plans/avatars/functions/apply.sql
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
  select string_agg(format('%I', a.attname), ', ') into columns
  from pg_catalog.pg_attribute a
  where a.attrelid = 'avatars.default_avatar'::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped;

  -- One statement, joined through what it has just inserted: a fresh table has no statistics to plan by.
  execute format(
    'with owners as (
       select u.id as owner, u.active_avatar_id as avatar from public.users u where u.id = any ($1)
     ), oldest as (
       select o.owner, a.avatar
       from owners o
       cross join lateral (
         select a.id as avatar from public.avatars a where a.owner_user_id = o.owner order by %2$s a.id limit 1
       ) a
       where o.avatar is null
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
end
$$;
comment on function avatars.apply(uuid[]) is 'Moves exactly these users: oldest own avatar or a new default one becomes active, their posts and the follows of them get it.';

-- sql/plans/avatars/functions/author_column.sql
create or replace function avatars.author_column()
returns text
language sql
stable
set search_path = ''
as $$
  select avatars.first_column('public.posts', 'user_id', 'author_id')
$$;
comment on function avatars.author_column() is 'The column of posts that names the author, or null: then posts stay as they are, for manual review.';

-- sql/plans/avatars/functions/default_values.sql
create or replace function avatars.default_values()
returns table (column_name text, expression text)
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
  select v.column_name, v.expression
  from names n
  cross join lateral (
    values
      ('id', 'gen_random_uuid()'),
      ('owner_user_id', 'u.id'),
      ('name', format('coalesce(%s ''Avatar'')', concat(
        case when n.display_name is not null then format('nullif(btrim(u.%I), ''''), ', n.display_name) end,
        case when n.username is not null then format('nullif(btrim(u.%I), ''''), ', n.username) end))),
      ('bio', case when n.bio is null then '''''::text' else format('coalesce(u.%I, '''')', n.bio) end),
      ('avatar_image_url', case when n.image is null then 'null::text' else format('u.%I', n.image) end),
      ('niche', '''other''::text'),
      ('personality_traits', 'array[''friendly'', ''creative'']'),
      ('personality_prompt', '''A friendly and creative persona.''::text'),
      ('metadata', 'jsonb_build_object(''migrated'', true)')
  ) v(column_name, expression)
$$;
comment on function avatars.default_values() is 'Columns that a default avatar can fill, each with its SQL expression over public.users u, by the columns that this app has.';

-- sql/plans/avatars/functions/first_column.sql
create or replace function avatars.first_column(relation text, variadic names text[])
returns text
language sql
stable
set search_path = ''
as $$
  select n.name
  from unnest(names) with ordinality n(name, position)
  join pg_catalog.pg_attribute a
    on a.attrelid = pg_catalog.to_regclass(relation) and a.attname = n.name and a.attnum > 0 and not a.attisdropped
  order by n.position
  limit 1
$$;
comment on function avatars.first_column(text, text[]) is 'The first of the names that the relation has as a column, or null.';

-- sql/plans/avatars/functions/followed_column.sql
create or replace function avatars.followed_column()
returns text
language sql
stable
set search_path = ''
as $$
  select avatars.first_column('public.follows', 'followed_id', 'following_id', 'followed_user_id')
$$;
comment on function avatars.followed_column() is 'The column of follows that names the followed user, or null: such follows are avatar-based already.';

-- sql/plans/avatars/functions/index_follows.sql
create or replace function avatars.index_follows()
returns void
language sql
volatile
set search_path = ''
as $$
  select avatars.index_reference('public.follows', 'avatar_id')
$$;
comment on function avatars.index_follows() is 'Prepare step: the index by which rollback finds what points at an avatar in follows.';

-- sql/plans/avatars/functions/index_posts.sql
create or replace function avatars.index_posts()
returns void
language sql
volatile
set search_path = ''
as $$
  select avatars.index_reference('public.posts', 'avatar_id')
$$;
comment on function avatars.index_posts() is 'Prepare step: the index by which rollback finds what points at an avatar in posts.';

-- sql/plans/avatars/functions/index_reference.sql
create or replace function avatars.index_reference(relation text, name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  missing jsonb := (select to_jsonb(w) from imago.index_warning(relation, name, 'rollback') w);
begin
  if missing is null then
    return;
  end if;
  -- Building blocks writers while the table is read once: about a second for 1 GB. A larger table is left to the statement
  -- that does not block, which the warning names.
  if pg_catalog.pg_total_relation_size(relation) < 1024 * 1024 * 1024::bigint then
    execute format('create index on %s (%I) where %2$I is not null', relation, name);
  else
    perform imago.write_log('avatars', null, 'warning', 'preflight', missing);
  end if;
end
$$;
comment on function avatars.index_reference(text, text) is 'Creates the index on a column that points at avatars, where it is missing and the table is below 1 GB.';

-- sql/plans/avatars/functions/index_users.sql
create or replace function avatars.index_users()
returns void
language sql
volatile
set search_path = ''
as $$
  select avatars.index_reference('public.users', 'active_avatar_id')
$$;
comment on function avatars.index_users() is 'Prepare step: the index by which rollback finds what points at an avatar in users.';

-- sql/plans/avatars/functions/preflight.sql
create or replace function avatars.preflight()
returns table (severity text, object text, message text, hint text)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query select * from imago.check_relation('public.posts');
  return query select * from imago.check_relation('public.follows');
  return query select * from imago.check_relation('public.avatars', must_exist => false);
  return query select * from imago.check_column('public.users', 'id', '{uuid}');
  if pg_catalog.to_regclass('public.users') is not null and avatars.first_column('public.users', 'display_name', 'username') is null then
    return query select 'error', 'public.users', 'has neither display_name nor username', 'A default avatar takes its name from one of them.';
  end if;
  if pg_catalog.to_regclass('public.avatars') is not null then
    return query select * from imago.check_column('public.avatars', 'id', '{uuid}');
    return query select * from imago.check_column('public.avatars', 'owner_user_id', '{uuid}');
    return query select * from imago.check_column('public.avatars', 'name', '{text,"character varying"}');
    -- Where the app has no such column it is added; the mark is looked for in it.
    return query
      select c.* from imago.check_column('public.avatars', 'metadata', '{jsonb}') c
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
    cross join lateral imago.check_column('public.users', v.name, '{text,"character varying"}') c
    where avatars.first_column('avatars.default_avatar', 'owner_user_id') is null;
  return query
    select c.* from (values ('public.users', 'active_avatar_id'), ('public.posts', 'avatar_id'), ('public.follows', 'avatar_id'),
                            ('public.posts', avatars.author_column()), ('public.follows', avatars.followed_column())) v(relation, name)
    cross join lateral imago.check_column(v.relation, v.name, '{uuid}') c
    where avatars.first_column(v.relation, v.name) is not null;
  if avatars.author_column() is null and pg_catalog.to_regclass('public.posts') is not null then
    return query select 'warning', 'public.posts', 'has no author column (user_id or author_id); posts stay as they are',
      'Posts without an avatar are for manual review.';
  end if;
  return query select * from imago.index_warning('public.posts', avatars.author_column(), 'the walk');
  return query select * from imago.index_warning('public.follows', avatars.followed_column(), 'the walk');
  return query select * from imago.index_warning('public.avatars', 'owner_user_id', 'the walk');
end
$$;
comment on function avatars.preflight() is 'What speaks against starting the avatars plan on this app: missing tables and columns, wrong types, owners, missing indexes.';

-- sql/plans/avatars/functions/prepare_avatars.sql
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
    owner_user_id uuid not null references public.users (id) on delete cascade,
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
  create index avatars_owner_user_id_idx on public.avatars (owner_user_id);
  alter table public.avatars enable row level security;
  create policy "everybody reads avatars" on public.avatars for select using (true);
  create policy "owners add avatars" on public.avatars for insert to authenticated
    with check (owner_user_id = (select auth.uid()));
  create policy "owners change their avatars" on public.avatars for update to authenticated
    using (owner_user_id = (select auth.uid())) with check (owner_user_id = (select auth.uid()));
  create policy "owners remove their avatars" on public.avatars for delete to authenticated
    using (owner_user_id = (select auth.uid()));
  grant select on public.avatars to anon;
  grant select, insert, update, delete on public.avatars to authenticated, service_role;
end
$$;
comment on function avatars.prepare_avatars() is 'Prepare step: public.avatars, created where it is missing; an existing one gets only the nullable column metadata, for the mark.';

-- sql/plans/avatars/functions/prepare_declaration.sql
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
  on conflict (plan, relation) do update set entity_column = excluded.entity_column
$$;
comment on function avatars.prepare_declaration() is 'Prepare step: declares what the plan writes in this app.';

-- sql/plans/avatars/functions/prepare_default_key.sql
create or replace function avatars.prepare_default_key()
returns void
language sql
volatile
set search_path = ''
as $$
  create unique index if not exists avatars_migrated_owner_key on public.avatars (owner_user_id) where (metadata @> '{"migrated": true}')
$$;
comment on function avatars.prepare_default_key() is 'Prepare step: the unique index behind the promise of one default avatar a user.';

-- sql/plans/avatars/functions/prepare_follows.sql
create or replace function avatars.prepare_follows()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.follows', 'avatar_id') is null then
    alter table public.follows add column avatar_id uuid;
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    alter table public.follows add constraint follows_avatar_id_fkey
      foreign key (avatar_id) references public.avatars (id) on delete set null not valid;
  end if;
end
$$;
comment on function avatars.prepare_follows() is 'Prepare step: follows.avatar_id with foreign key, where the app has no such column; its own is used as it is.';

-- sql/plans/avatars/functions/prepare_posts.sql
create or replace function avatars.prepare_posts()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.posts', 'avatar_id') is null then
    alter table public.posts add column avatar_id uuid;
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    alter table public.posts add constraint posts_avatar_id_fkey
      foreign key (avatar_id) references public.avatars (id) on delete set null not valid;
  end if;
end
$$;
comment on function avatars.prepare_posts() is 'Prepare step: posts.avatar_id with foreign key, where the app has no such column; its own is used as it is.';

-- sql/plans/avatars/functions/prepare_users.sql
create or replace function avatars.prepare_users()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if avatars.first_column('public.users', 'active_avatar_id') is null then
    alter table public.users add column active_avatar_id uuid;
    -- Not valid: nothing is scanned under the lock, and new references are checked all the same.
    alter table public.users add constraint users_active_avatar_id_fkey
      foreign key (active_avatar_id) references public.avatars (id) on delete set null not valid;
  end if;
end
$$;
comment on function avatars.prepare_users() is 'Prepare step: users.active_avatar_id with foreign key, where the app has no such column; its own is used as it is.';

-- sql/plans/avatars/functions/prepare_views.sql
create or replace function avatars.prepare_views()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  conditions text := 'u.active_avatar_id is null';
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
  end if;
  if avatars.followed_column() is not null then
    conditions := conditions || format(
      ' or exists (select from public.follows f where f.%I = u.id and f.avatar_id is null)', avatars.followed_column());
  end if;
  execute format('create or replace view avatars.pending as select u.id as entity from public.users u where %s', conditions);
  comment on view avatars.pending is 'Users who have yet to be moved, or whose posts or follows have.';
end
$$;
comment on function avatars.prepare_views() is 'Prepare step: the views default_avatar (kept if somebody made his own) and pending, from the columns found.';

-- sql/plans/avatars/functions/statistics.sql
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

-- sql/plans/avatars/functions/unfit_columns.sql
create or replace function avatars.unfit_columns()
returns table (severity text, object text, message text, hint text)
language sql
stable
set search_path = ''
as $$
  select c.severity, c.object, c.message,
    c.hint || ' Or create the view avatars.default_avatar yourself with a value that fits.'
  from (
    values
      ('bio', '{text}'::text[]), ('avatar_image_url', '{text}'), ('niche', '{text}'), ('personality_prompt', '{text}'),
      ('personality_traits', '{text[]}')
  ) v(name, types)
  join pg_catalog.pg_attribute a
    on a.attrelid = pg_catalog.to_regclass('public.avatars') and a.attname = v.name and not a.attisdropped
  join pg_catalog.pg_type t on t.oid = a.atttypid
  cross join lateral imago.check_column('public.avatars', v.name, v.types) c
  where avatars.first_column('avatars.default_avatar', 'owner_user_id') is null
    and not (v.types = '{text}' and t.typcategory = 'S')
    and not (v.types = '{text[]}' and t.typcategory = 'A' and t.typelem in (
      select e.oid from pg_catalog.pg_type e where e.typcategory = 'S'))
$$;
comment on function avatars.unfit_columns() is 'Columns of an existing avatars table whose type cannot hold what the default avatar has for them.';

-- sql/plans/avatars/functions/unknown_columns.sql
create or replace function avatars.unknown_columns()
returns table (severity text, object text, message text, hint text)
language sql
stable
set search_path = ''
as $$
  select 'error', format('public.avatars.%I', a.attname), 'is not null, has no default, and the plan has no value for it',
    'Give it a default, or create the view avatars.default_avatar yourself with a value for it.'
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass('public.avatars') and a.attnum > 0 and not a.attisdropped
    and a.attnotnull and not a.atthasdef and a.attidentity = ''
    and a.attname not in (select v.column_name from avatars.default_values() v)
    and avatars.first_column('avatars.default_avatar', a.attname) is null
$$;
comment on function avatars.unknown_columns() is 'Columns of an existing avatars table that must have a value and for which the default avatar has none.';

-- sql/plans/avatars/registration.sql
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
