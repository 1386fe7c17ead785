-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.

set local check_function_bodies = off;

-- profile_gigs schema
do $$
declare
  taken text;
begin
  select string_agg(p.oid::pg_catalog.regprocedure::text, ', ') into taken
  from pg_catalog.pg_proc p
  where p.pronamespace = 'public'::pg_catalog.regnamespace and p.proname in ('get_user_profile_gig', 'get_user_gigs');
  if taken is not null then
    perform imago.raise_error('IM012', taken);
  end if;
end
$$;
select imago.create_plan('profile_gigs', 'One profile gig for each freelancer, with the skills that the user had', 'public', 'User', 'id',
  'freelancer', 'freelancers');

-- profile_gigs.adopt
create or replace function profile_gigs.adopt(gigs integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  with filled as (
    update public."Gigs" g
    set skills = coalesce(g.skills, u.skills), "codingLanguages" = coalesce(g."codingLanguages", u."codingLanguages"),
      "yearsOfExperience" = coalesce(nullif(g."yearsOfExperience", 0), u."yearsOfExperience", 0),
      certificates = coalesce(g.certificates, u.certificates)
    from public."User" u
    where g.id = any (gigs) and u.id = g."userId"
    returning g."userId", g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates
  )
  update public."User" u
  set skills = f.skills, "codingLanguages" = f."codingLanguages", certificates = f.certificates,
    "yearsOfExperience" = profile_gigs.years(u."yearsOfExperience", f."yearsOfExperience")
  from filled f
  where u.id = f."userId"
    and (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
      is distinct from (f.skills, f."codingLanguages", f."yearsOfExperience", f.certificates)
$$;
comment on function profile_gigs.adopt(integer[]) is 'A gig that the app has made the profile gig: what it says goes to the user, what it leaves open comes from them.';

-- profile_gigs.apply
create or replace function profile_gigs.apply(keys integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  select profile_gigs.make_gigs(keys);
  select profile_gigs.equalize(keys);
$$;
comment on function profile_gigs.apply(integer[]) is 'Moves exactly these users: who is to have a profile gig gets one; where a sync failed the sides become equal.';

-- profile_gigs.check_query
create or replace function profile_gigs.check_query(name text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  differing constant text :=
    'select g.id as key, g."userId" as entity from public."Gigs" g join public."User" u on u.id = g."userId"
     where g."isProfileGig"
       and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
         is distinct from (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
       and profile_gigs.written_last(u.id, g.id) is ';
begin
  if not profile_gigs.has_columns('public."Gigs"', 'isProfileGig')
     or name not in ('freelancers_without_gig', 'two_profile_gigs') and not profile_gigs.has_both_sides() then
    return null;
  end if;
  return case name
    when 'freelancers_without_gig' then
      'select u.id as key, u.id as entity from public."User" u
       where u.role::text = ''freelancer'' and u."isProfileInfoSet"
         and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")'
    when 'two_profile_gigs' then
      'select g.id as key, g."userId" as entity from public."Gigs" g
       where g."isProfileGig" and exists (
         select from public."Gigs" o where o."userId" = g."userId" and o."isProfileGig" and o.id < g.id)'
    when 'sides_differ' then differing || 'not null'
    when 'sides_differ_undecided' then differing || 'null'
    when 'values_without_gig' then
      'select u.id as key, u.id as entity from public."User" u
       where (cardinality(u.skills) > 0 or cardinality(u."codingLanguages") > 0 or u."yearsOfExperience" <> 0 or cardinality(u.certificates) > 0)
         and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")'
  end;
end
$$;
comment on function profile_gigs.check_query(text) is 'SQL that lists what a check of this plan finds: key and entity. Null before prepare, and where finalize has dropped the columns.';

-- profile_gigs.clean_gigs
create or replace function profile_gigs.clean_gigs()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  columns text[] := array(
    select a.attname::text from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('public."Gigs"') and a.attnum > 0 and not a.attisdropped
      and a.attname in ('isProfileGig', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
      and imago.is_added('profile_gigs', 'public."Gigs"', a.attname)
    order by a.attnum);
  holds boolean;
begin
  if columns = '{}' then
    return null;
  end if;
  -- Under the lock the table must not be read for long.
  if not imago.may_hold('public."Gigs"') then
    return jsonb_build_object('warnings', jsonb_build_array('"Gigs" is too large to be looked through while its writers wait: its columns stay'));
  end if;
  -- Who reads goes on meanwhile.
  lock table public."Gigs" in share row exclusive mode;
  execute format('select exists (select from public."Gigs" where %s)', (
    select string_agg(format(case c when 'isProfileGig' then '%I' when 'yearsOfExperience' then '%I <> 0' else '%I is not null' end, c), ' or ')
    from unnest(columns) c)) into holds;
  if holds then
    return jsonb_build_object('warnings', jsonb_build_array('the columns of "Gigs" hold values: they stay'));
  end if;
  -- Prepare makes them again.
  drop view if exists profile_gigs.concerned, profile_gigs.pending, profile_gigs.profile_gig;
  perform imago.forget_added('profile_gigs', 'public."Gigs"', c) from unnest(columns) c;
  execute 'alter table public."Gigs" ' || (select string_agg(format('drop column %I', c), ', ') from unnest(columns) c);
  return jsonb_build_object('warnings', jsonb_build_array(format('%s of "Gigs" were empty: dropped', array_to_string(columns, ', '))));
end
$$;
comment on function profile_gigs.clean_gigs() is 'Clean-up step after a complete rollback: drops the columns that prepare added to "Gigs", if they are empty.';

-- profile_gigs.compare_aside
create or replace function profile_gigs.compare_aside(keys integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  insert into profile_gigs.users_aside as a (id, skills, "codingLanguages", "yearsOfExperience", certificates)
  select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates
  from public."User" u
  left join profile_gigs.users_aside a on a.id = u.id
  where u.id = any (keys)
    and (a.id is null or (a.skills, a."codingLanguages", a."yearsOfExperience", a.certificates)
      is distinct from (u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates))
  for share of u
  on conflict (id) do update set
    skills = excluded.skills, "codingLanguages" = excluded."codingLanguages",
    "yearsOfExperience" = excluded."yearsOfExperience", certificates = excluded.certificates
$$;
comment on function profile_gigs.compare_aside(integer[]) is 'Finalize step that walks: compares what is kept aside with the columns of these users, and corrects what differs.';

-- profile_gigs.copy_aside
create or replace function profile_gigs.copy_aside(keys integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  -- Who is there already was written since the trigger is, so theirs is the newer value.
  insert into profile_gigs.users_aside (id, skills, "codingLanguages", "yearsOfExperience", certificates)
  select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates
  from public."User" u
  where u.id = any (keys)
  on conflict (id) do nothing
$$;
comment on function profile_gigs.copy_aside(integer[]) is 'Finalize step that walks: copies these users aside.';

-- profile_gigs.count_aside
create or replace function profile_gigs.count_aside()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  users bigint;
  aside bigint;
begin
  perform profile_gigs.expect_no_loss();
  -- One statement, one view of both.
  select (select count(*) from public."User"), (select count(*) from profile_gigs.users_aside) into users, aside;
  if users <> aside then
    -- Users who were deleted while they were being copied.
    delete from profile_gigs.users_aside a where not exists (select from public."User" u where u.id = a.id);
    return '{"has_more": true}';
  end if;
  return jsonb_build_object('warnings', jsonb_build_array(format(
    'the columns of all %s users are kept in profile_gigs.users_aside until clean-up', users)));
end
$$;
comment on function profile_gigs.count_aside() is 'Finalize step: as many users are kept aside as there are.';

-- profile_gigs.drop_aside
create or replace function profile_gigs.drop_aside()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regclass('profile_gigs.users_aside') is null then
    return null;
  end if;
  drop table profile_gigs.users_aside;
  return jsonb_build_object('warnings', jsonb_build_array('profile_gigs.users_aside, the columns as they were: dropped'));
end
$$;
comment on function profile_gigs.drop_aside() is 'Clean-up step: drops what finalize has kept aside.';

-- profile_gigs.drop_columns
create or replace function profile_gigs.drop_columns()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  drop view if exists profile_gigs.pending, profile_gigs.profile_gig;
  alter table public."User"
    drop column if exists skills,
    drop column if exists "codingLanguages",
    drop column if exists "yearsOfExperience",
    drop column if exists certificates;
end
$$;
comment on function profile_gigs.drop_columns() is 'Finalize step that closes the way back: drops the columns that the profile gig holds now. Nothing that stands on them is dropped along.';

-- profile_gigs.equalize
create or replace function profile_gigs.equalize(keys integer[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  newer integer[];
begin
  perform set_config('search_path', imago.app_search_path(), true);
  update public."Gigs" g
  set skills = u.skills, "codingLanguages" = u."codingLanguages", "yearsOfExperience" = coalesce(u."yearsOfExperience", 0),
    certificates = u.certificates
  from public."User" u
  where u.id = any (keys) and g."userId" = any (keys) and g."userId" = u.id and g."isProfileGig"
    and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
      is distinct from (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
    and profile_gigs.written_last(u.id, g.id) = 'user';

  newer := array(
    select g.id
    from public."Gigs" g
    join public."User" u on u.id = g."userId"
    where u.id = any (keys) and g."userId" = any (keys) and g."isProfileGig"
      and (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
        is distinct from (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
      and profile_gigs.written_last(u.id, g.id) = 'gig');
  if newer = '{}' then
    return;
  end if;
  perform profile_gigs.follow_gigs(newer);
  update public."User" u
  set skills = g.skills, "codingLanguages" = g."codingLanguages", certificates = g.certificates,
    "yearsOfExperience" = profile_gigs.years(u."yearsOfExperience", g."yearsOfExperience")
  from public."Gigs" g
  where g.id = any (newer) and u.id = g."userId";
end
$$;
comment on function profile_gigs.equalize(integer[]) is 'Does for these users what a sync that failed has left undone.';

-- profile_gigs.expect_no_loss
create or replace function profile_gigs.expect_no_loss()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  standing text := profile_gigs.users_of_columns();
  amount bigint;
  keys text;
begin
  if standing is not null then
    perform imago.raise_error('IM048', 'profile_gigs', standing);
  end if;
  if not profile_gigs.has_both_sides() then
    return;
  end if;
  execute format(
    'select count(*), string_agg(key::text, '', '' order by key) filter (where place <= 3) from (
       select f.key, row_number() over (order by f.key) as place from (%s) f) numbered',
    profile_gigs.check_query('values_without_gig'))
  into amount, keys;
  if amount > 0 then
    perform imago.refuse_data_loss('profile_gigs', format(
      '%s users without a profile gig hold skills, languages, years or certificates (%s%s)', amount, keys, case when amount > 3 then ', …' else '' end));
  end if;
end
$$;
comment on function profile_gigs.expect_no_loss() is 'Finalize step: refuses while the columns of "User" are needed. Objects of the app depend on them, or a user without a profile gig holds values in them.';

-- profile_gigs.follow_aside
create or replace function profile_gigs.follow_aside()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op <> 'INSERT' and (tg_op = 'DELETE' or old.id <> new.id) then
    delete from profile_gigs.users_aside a where a.id = old.id;
  end if;
  if tg_op <> 'DELETE' then
    insert into profile_gigs.users_aside as a (id, skills, "codingLanguages", "yearsOfExperience", certificates)
    values (new.id, new.skills, new."codingLanguages", new."yearsOfExperience", new.certificates)
    on conflict (id) do update set
      skills = excluded.skills, "codingLanguages" = excluded."codingLanguages",
      "yearsOfExperience" = excluded."yearsOfExperience", certificates = excluded.certificates
    where (a.skills, a."codingLanguages", a."yearsOfExperience", a.certificates)
      is distinct from (excluded.skills, excluded."codingLanguages", excluded."yearsOfExperience", excluded.certificates);
  end if;
  return null;
end
$$;
comment on function profile_gigs.follow_aside() is 'Trigger, while finalize copies: what is written to "User" is written aside as well.';

-- profile_gigs.follow_gigs
create or replace function profile_gigs.follow_gigs(gigs integer[])
returns void
language sql
volatile
set search_path = ''
as $$
  -- The user still has what the gig had.
  select imago.accept_edits(
    'profile_gigs', 'public."Gigs"', '{skills,codingLanguages,yearsOfExperience,certificates}',
    'select g.id, u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0) as "yearsOfExperience", u.certificates
     from public."Gigs" g join public."User" u on u.id = g."userId"
     where g.id = any ($1)',
    gigs)
$$;
comment on function profile_gigs.follow_gigs(integer[]) is 'What the app wrote to these gigs, and is about to be copied to their users, is no conflict: the journal moves along.';

-- profile_gigs.gig_values
create or replace function profile_gigs.gig_values()
returns table (column_name text, expression text)
language sql
stable
set search_path = ''
as $$
  select v.column_name, v.expression
  from (
    select 'coalesce(case when u."fullName" ~ ''\S'' then u."fullName" end, case when u.username ~ ''\S'' then u.username end, ''Freelancer'')' as name
  ) n
  cross join lateral (
    values
      ('userId', 'u.id'),
      ('isProfileGig', 'true'),
      ('title', n.name || ' || ''''''s Professional Profile'''),
      ('description', format('case when u.description ~ ''\S'' then u.description else ''Professional profile for '' || %s end', n.name)),
      ('category', '''Development & IT''::text'),
      ('deliveryTime', '1'),
      ('revisions', '1'),
      ('features', 'array[''Professional Profile'']'),
      ('price', '0'),
      ('shortDesc', '''Professional profile for '' || ' || n.name),
      ('images', '''{}''::text[]'),
      ('skills', 'u.skills'),
      ('codingLanguages', 'u."codingLanguages"'),
      ('yearsOfExperience', 'coalesce(u."yearsOfExperience", 0)'),
      ('certificates', 'u.certificates'),
      -- Prisma sets it itself: the column has no default.
      ('updatedAt', 'now() at time zone ''UTC''')
  ) v(column_name, expression)
$$;
comment on function profile_gigs.gig_values() is 'Columns that a profile gig fills, each with its SQL expression over public."User" u.';

-- profile_gigs.has_both_sides
create or replace function profile_gigs.has_both_sides()
returns boolean
language sql
stable
set search_path = ''
as $$
  select profile_gigs.has_columns('public."Gigs"', 'isProfileGig', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
    and profile_gigs.has_columns('public."User"', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
$$;
comment on function profile_gigs.has_both_sides() is 'Whether user and gig both have the columns that are kept equal: from prepare until finalize.';

-- profile_gigs.has_columns
create or replace function profile_gigs.has_columns(relation text, variadic names text[])
returns boolean
language sql
stable
set search_path = ''
as $$
  select count(*) = cardinality(names)
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass(relation) and a.attname = any (names) and a.attnum > 0 and not a.attisdropped
$$;
comment on function profile_gigs.has_columns(text, text[]) is 'Whether the relation has all of these columns.';

-- profile_gigs.index_gigs
create or replace function profile_gigs.index_gigs()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  valid boolean := (
    select i.indisvalid from pg_catalog.pg_index i where i.indexrelid = pg_catalog.to_regclass('public."Gigs_profile_gig_key"'));
begin
  if valid then
    return true;
  end if;
  -- Building it blocks writers while the table is read once.
  if not imago.may_hold('public."Gigs"') then
    return false;
  end if;
  drop index if exists public."Gigs_profile_gig_key";
  create unique index "Gigs_profile_gig_key" on public."Gigs" ("userId") where "isProfileGig";
  return true;
end
$$;
comment on function profile_gigs.index_gigs() is 'Prepare step: the unique index behind the promise of one profile gig a user. Where its writers do not wait for that, or not long, it is built here and now.';

-- profile_gigs.keep_aside
create or replace function profile_gigs.keep_aside()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  drop table if exists profile_gigs.users_aside;
  create table profile_gigs.users_aside as
    select u.id, u.skills, u."codingLanguages", u."yearsOfExperience", u.certificates from public."User" u with no data;
  alter table profile_gigs.users_aside add primary key (id);
  perform imago.close_table('profile_gigs.users_aside');
  comment on table profile_gigs.users_aside is 'The columns of "User" that finalize drops, of all users, until clean-up.';
  -- What is written while the others are copied. It goes with the triggers of Imago.
  create or replace trigger "~imago_aside" after insert or update or delete on public."User"
    for each row execute function profile_gigs.follow_aside();
end
$$;
comment on function profile_gigs.keep_aside() is 'Finalize step: the empty table that the columns of all users are copied to, and the trigger that keeps it equal.';

-- profile_gigs.make_gigs
create or replace function profile_gigs.make_gigs(keys integer[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  -- One that the app makes at this moment is as good.
  execute (
    select format(
      'insert into public."Gigs" (%1$s)
       select %1$s from profile_gigs.profile_gig p
       where p."userId" = any (array(
         select u.id from public."User" u
         where u.id = any ($1) and u.role::text = ''freelancer'' and u."isProfileInfoSet"
           and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")))
       order by p."userId"
       on conflict ("userId") where "isProfileGig" do nothing',
      string_agg(format('%I', a.attname), ', '))
    from pg_catalog.pg_attribute a
    where a.attrelid = 'profile_gigs.profile_gig'::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped)
  using keys;
end
$$;
comment on function profile_gigs.make_gigs(integer[]) is 'Makes the profile gigs of those of the users who are to have one and have none.';

-- profile_gigs.preflight
create or replace function profile_gigs.preflight()
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
begin
  return query select * from imago.relation_problems('public."Gigs"');
  return query select * from imago.partition_problems('public."Gigs"', 'The unique index that holds one profile gig a user is built concurrently, which a partitioned table cannot have.');
  return query
    select c.*
    from (
      values
        ('public."User"', 'id', '{integer}'::text[], true),
        ('public."User"', 'username', '{text,"character varying"}', true),
        ('public."User"', 'fullName', '{text,"character varying"}', true),
        ('public."User"', 'description', '{text,"character varying"}', true),
        ('public."User"', 'isProfileInfoSet', '{boolean}', true),
        ('public."User"', 'skills', '{text[]}', true),
        ('public."User"', 'codingLanguages', '{text[]}', true),
        ('public."User"', 'yearsOfExperience', '{integer}', true),
        ('public."User"', 'certificates', '{text[]}', true),
        ('public."Gigs"', 'id', '{integer}', true),
        ('public."Gigs"', 'userId', '{integer}', true),
        ('public."Gigs"', 'title', '{text,"character varying"}', true),
        ('public."Gigs"', 'description', '{text,"character varying"}', true),
        ('public."Gigs"', 'category', '{text,"character varying"}', true),
        ('public."Gigs"', 'deliveryTime', '{smallint,integer,bigint}', true),
        ('public."Gigs"', 'revisions', '{smallint,integer,bigint}', true),
        ('public."Gigs"', 'features', '{text[]}', true),
        ('public."Gigs"', 'price', '{smallint,integer,bigint,numeric,real,"double precision"}', true),
        ('public."Gigs"', 'shortDesc', '{text,"character varying"}', true),
        ('public."Gigs"', 'images', '{text[]}', true),
        -- Prepare adds these; an app that has them keeps its own.
        ('public."Gigs"', 'isProfileGig', '{boolean}', false),
        ('public."Gigs"', 'skills', '{text[]}', false),
        ('public."Gigs"', 'codingLanguages', '{text[]}', false),
        ('public."Gigs"', 'yearsOfExperience', '{integer}', false),
        ('public."Gigs"', 'certificates', '{text[]}', false)
    ) v(relation, name, types, needed)
    cross join lateral imago.column_problems(v.relation, v.name, v.types) c
    where v.needed or c.kind <> 'missing_column';
  -- An enum or a text: it is compared as text.
  if pg_catalog.to_regclass('public."User"') is not null and not profile_gigs.has_columns('public."User"', 'role') then
    return query select 'error', 'missing_column', 'public."User".role', 'column is missing', 'It tells who is a freelancer.';
  end if;
  if pg_catalog.to_regclass('public."Gigs"') is not null then
    return query select * from profile_gigs.unknown_columns();
  end if;
  return query
    select 'warning', 'limitation', 'public."Gigs"."userId"', format('by %I keeps a user who has a gig from being deleted, and each freelancer will have one', c.conname),
      'Have the app delete the gigs of a user before the user, or let the foreign key cascade.'
    from pg_catalog.pg_constraint c
    where c.conrelid = pg_catalog.to_regclass('public."Gigs"') and c.confrelid = pg_catalog.to_regclass('public."User"')
      and c.contype = 'f' and c.confdeltype in ('a', 'r');
end
$$;
comment on function profile_gigs.preflight() is 'What speaks against starting the plan on this app, and what will be different for the app. Missing tables and columns, other types, and columns of "Gigs" that a profile gig could not fill.';

-- profile_gigs.prepare_gigs
create or replace function profile_gigs.prepare_gigs()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  added record;
begin
  for added in
    select v.name, v.type
    from (
      values
        ('isProfileGig', 'boolean not null default false'),
        ('skills', 'text[]'),
        ('codingLanguages', 'text[]'),
        ('yearsOfExperience', 'integer not null default 0'),
        ('certificates', 'text[]')
    ) v(name, type)
    where not profile_gigs.has_columns('public."Gigs"', v.name)
  loop
    -- Nullable or with a constant default: no row is written.
    execute format('alter table public."Gigs" add column %I %s', added.name, added.type);
    perform imago.note_added('profile_gigs', 'public."Gigs"', added.name);
  end loop;
end
$$;
comment on function profile_gigs.prepare_gigs() is 'Prepare step: the columns of "Gigs" that the app does not have.';

-- profile_gigs.prepare_views
create or replace function profile_gigs.prepare_views()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if pg_catalog.to_regclass('profile_gigs.profile_gig') is null then
    execute (
      select format('create view profile_gigs.profile_gig as select %s from public."User" u',
                    string_agg(format('%s as %I', v.expression, v.column_name), ', '))
      from profile_gigs.gig_values() v
      where profile_gigs.has_columns('public."Gigs"', v.column_name));
    comment on view profile_gigs.profile_gig is 'What a profile gig holds: "userId" and any columns of "Gigs", one row a user. Replace it to get other texts; skills, languages, years and certificates have to be the user''s.';
  end if;

  create or replace view profile_gigs.concerned as
    select u.id as entity from public."User" u where u.role::text = 'freelancer' and u."isProfileInfoSet"
    union
    select g."userId" from public."Gigs" g where g."isProfileGig" and g."userId" is not null;
  comment on view profile_gigs.concerned is 'Freelancers whose profile is set, and users who have a profile gig: all others do not count as migrated.';

  create or replace view profile_gigs.pending as
    select u.id as entity
    from public."User" u
    where u.role::text = 'freelancer' and u."isProfileInfoSet"
      and not exists (select from public."Gigs" g where g."userId" = u.id and g."isProfileGig")
    union all
    select g."userId"
    from public."Gigs" g
    join public."User" u on u.id = g."userId"
    where g."isProfileGig"
      and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
        is distinct from (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
      and profile_gigs.written_last(u.id, g.id) is not null;
  comment on view profile_gigs.pending is 'Freelancers who have yet to get a profile gig, and users whose sides differ because a sync failed.';
end
$$;
comment on function profile_gigs.prepare_views() is 'Prepare step: the views profile_gig (kept if somebody made their own), concerned and pending.';

-- profile_gigs.statistics
create or replace function profile_gigs.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  amount bigint := 0;
begin
  if profile_gigs.has_columns('public."Gigs"', 'isProfileGig') then
    select count(*) into amount from public."Gigs" g where g."isProfileGig";
  end if;
  return jsonb_build_object('profile_gigs', amount);
end
$$;
comment on function profile_gigs.statistics() is 'What get_migration_statistics adds for this plan: profile gigs.';

-- profile_gigs.unknown_columns
create or replace function profile_gigs.unknown_columns()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', 'no_value', format('public."Gigs".%I', a.attname), 'is not null, has no default, and the plan has no value for it',
    'Give it a default, or create the view profile_gigs.profile_gig yourself with a value for it.'
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass('public."Gigs"') and a.attnum > 0 and not a.attisdropped
    and a.attnotnull and not a.atthasdef and a.attidentity = ''
    and a.attname not in (select v.column_name from profile_gigs.gig_values() v)
    and not profile_gigs.has_columns('profile_gigs.profile_gig', a.attname)
$$;
comment on function profile_gigs.unknown_columns() is 'Columns of "Gigs" that must have a value and for which a profile gig has none.';

-- profile_gigs.users_of_columns
create or replace function profile_gigs.users_of_columns()
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(distinct pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', ')
  from pg_catalog.pg_depend d
  join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
  left join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid
  left join pg_catalog.pg_class c on c.oid = r.ev_class
  where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = pg_catalog.to_regclass('public."User"')
    and a.attname in ('skills', 'codingLanguages', 'yearsOfExperience', 'certificates')
    -- Indexes and the like go with their column; our own views are dropped before it.
    and d.deptype = 'n' and c.relnamespace is distinct from 'profile_gigs'::pg_catalog.regnamespace
$$;
comment on function profile_gigs.users_of_columns() is 'Views, policies and other objects of the app that need the columns of "User" that finalize drops. Null when there are none.';

-- profile_gigs.written_last
create or replace function profile_gigs.written_last(user_id integer, gig_id integer)
returns text
language plpgsql
stable
-- By PostgreSQL's default for its language it costs more than a comparison: asked only where the sides differ. If it cost
-- more than that, the planner would read the whole table of users, to ask less often.
set search_path = ''
as $$
declare
  gigs constant text := 'public."Gigs"';
  failed text;
begin
  -- A profile gig of Imago that is as Imago left it: only the user can have been written since.
  if imago.is_as_written('profile_gigs', gigs, user_id::text, gig_id::text) then
    return 'user';
  end if;
  failed := imago.last_failed_sync('profile_gigs', user_id::text);
  return case when failed = gigs then 'gig' when failed is not null then 'user' end;
end
$$;
comment on function profile_gigs.written_last(integer, integer) is 'Which of a user and their profile gig was written last, where they differ and its sync failed: user or gig. Null when nothing tells.';

-- profile_gigs.years
create or replace function profile_gigs.years(of_user integer, of_gig integer)
returns integer
language sql
immutable
set search_path = ''
as $$
  select case when coalesce(of_user, 0) = of_gig then of_user else of_gig end
$$;
comment on function profile_gigs.years(integer, integer) is 'Years of experience of a user whose gig has these: a gig cannot tell none from 0, so none stays none.';

-- public.get_user_gigs
create or replace function public.get_user_gigs(user_id integer, include_profile_gigs boolean default false)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(jsonb_agg(
    case when get_user_gigs.include_profile_gigs then g.fields
      else g.fields - array['isProfileGig', 'skills', 'codingLanguages', 'yearsOfExperience', 'certificates'] end
    order by g.id), '[]')
  from (select r.id, to_jsonb(r) as fields from public."Gigs" r where r."userId" = get_user_gigs.user_id) g
  where get_user_gigs.include_profile_gigs or g.fields -> 'isProfileGig' is distinct from 'true'
$$;
comment on function public.get_user_gigs(integer, boolean) is 'Imago plan profile_gigs: the gigs of a user, as they were before there were profile gigs. Or all of them, with the columns that profile gigs have. Changes nothing.';

-- public.get_user_profile_gig
create or replace function public.get_user_profile_gig(user_id integer)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  -- Rows as JSON: so it works before prepare has added columns, and after finalize has dropped some.
  select jsonb_build_object(
    'userId', get_user_profile_gig.user_id,
    'source', case when gig.profile is not null then 'gig' when own.profile is not null then 'user' end,
    'profile', coalesce(gig.profile, own.profile))
  from (select) nothing
  left join lateral (
    select jsonb_build_object(
      'description', u.fields -> 'description', 'skills', u.fields -> 'skills', 'codingLanguages', u.fields -> 'codingLanguages',
      'yearsOfExperience', u.fields -> 'yearsOfExperience', 'certificates', u.fields -> 'certificates') as profile
    from (select to_jsonb(r) as fields from public."User" r where r.id = get_user_profile_gig.user_id) u
  ) own on true
  left join lateral (
    select (
      select jsonb_object_agg(f.key, f.value) from jsonb_each(g.fields) f
      where f.key in (
        'id', 'title', 'description', 'category', 'deliveryTime', 'revisions', 'features', 'price', 'shortDesc', 'images', 'createdAt',
        'skills', 'codingLanguages', 'yearsOfExperience', 'certificates')) as profile
    from (select to_jsonb(r) as fields from public."Gigs" r where r."userId" = get_user_profile_gig.user_id) g
    where g.fields -> 'isProfileGig' = 'true'
    limit 1
  ) gig on true
$$;
comment on function public.get_user_profile_gig(integer) is 'Imago plan profile_gigs: the professional profile of a user. It is their profile gig, or their own columns while they have none. source tells which; it is null for nobody. Changes nothing.';

-- profile_gigs registration
insert into imago.plan_step (plan, position, name, routine, direct, statement) values
  ('profile_gigs', 1, 'columns of "Gigs"', 'prepare_gigs', false, null),
  ('profile_gigs', 2, 'one profile gig a user', 'index_gigs', true,
   'create unique index concurrently "Gigs_profile_gig_key" on public."Gigs" ("userId") where "isProfileGig"'),
  ('profile_gigs', 3, 'views', 'prepare_views', false, null);

insert into imago.plan_step (plan, position, name, phase, routine, reversible, source) values
  ('profile_gigs', 4, 'nothing is lost', 'finalize', 'expect_no_loss', true, null),
  ('profile_gigs', 5, 'table users_aside', 'finalize', 'keep_aside', true, null),
  ('profile_gigs', 6, 'all users aside', 'finalize', 'copy_aside', true, 'public."User"'),
  ('profile_gigs', 7, 'compared', 'finalize', 'compare_aside', true, 'public."User"'),
  ('profile_gigs', 8, 'counted', 'finalize', 'count_aside', true, null),
  ('profile_gigs', 9, 'columns of "User" dropped', 'finalize', 'drop_columns', false, null);

insert into imago.plan_step (plan, position, name, phase, routine, only_after) values
  ('profile_gigs', 10, 'what was kept aside', 'cleanup', 'drop_aside', null),
  ('profile_gigs', 11, 'empty columns of "Gigs"', 'cleanup', 'clean_gigs', 'rollback');

insert into imago.plan_write (plan, position, relation, entity_column, inserts, columns) values
  ('profile_gigs', 1, 'public."Gigs"', 'userId', true, '{skills,codingLanguages,yearsOfExperience,certificates}');

-- "User" is declared nowhere: what reaches it was written by the app, on the other side, and stays. Only what a statement has
-- changed goes over: another column may hold what the other side does not have yet, since a sync has failed.
insert into imago.plan_sync (plan, position, name, relation, events, columns, entity_column, direction, creates, statement) values
  ('profile_gigs', 1, 'from the user to the profile gig', 'public."User"', '{update}',
   '{skills,codingLanguages,yearsOfExperience,certificates}', 'id', 'forward', false,
   'update public."Gigs" g
    set skills = case when n.skills is distinct from o.skills then n.skills else g.skills end,
      "codingLanguages" = case when n."codingLanguages" is distinct from o."codingLanguages"
        then n."codingLanguages" else g."codingLanguages" end,
      "yearsOfExperience" = case when n."yearsOfExperience" is distinct from o."yearsOfExperience"
        then coalesce(n."yearsOfExperience", 0) else g."yearsOfExperience" end,
      certificates = case when n.certificates is distinct from o.certificates then n.certificates else g.certificates end
    from new_rows n join old_rows o on o.id = n.id
    where g."userId" = n.id and g."isProfileGig"
      and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
        is distinct from (n.skills, n."codingLanguages", coalesce(n."yearsOfExperience", 0), n.certificates)'),
  ('profile_gigs', 2, 'a freelancer gets a profile gig', 'public."User"', '{insert,update}',
   '{role,isProfileInfoSet,skills,codingLanguages,yearsOfExperience,certificates}', 'id', 'forward', true,
   'select profile_gigs.make_gigs(array(select n.id from new_rows n where n.role::text = ''freelancer'' and n."isProfileInfoSet"))'),
  ('profile_gigs', 3, 'from the profile gig to the user', 'public."Gigs"', '{update}',
   '{skills,codingLanguages,yearsOfExperience,certificates}', 'userId', 'back', false,
   'update public."User" u
    set skills = case when n.skills is distinct from o.skills then n.skills else u.skills end,
      "codingLanguages" = case when n."codingLanguages" is distinct from o."codingLanguages"
        then n."codingLanguages" else u."codingLanguages" end,
      certificates = case when n.certificates is distinct from o.certificates then n.certificates else u.certificates end,
      "yearsOfExperience" = case when n."yearsOfExperience" is distinct from o."yearsOfExperience"
        then profile_gigs.years(u."yearsOfExperience", n."yearsOfExperience") else u."yearsOfExperience" end
    from new_rows n join old_rows o on o.id = n.id
    where u.id = n."userId" and n."isProfileGig"
      and (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)
        is distinct from (n.skills, n."codingLanguages", n."yearsOfExperience", n.certificates)'),
  ('profile_gigs', 4, 'the app makes a profile gig', 'public."Gigs"', '{insert}',
   '{isProfileGig}', 'userId', 'back', false,
   'select profile_gigs.adopt(array(select n.id from new_rows n where n."isProfileGig"))'),
  -- Not back: that would have the journal take a mark which the app removes for none of its edits.
  ('profile_gigs', 5, 'a gig becomes the profile gig', 'public."Gigs"', '{update}',
   '{isProfileGig}', 'userId', 'forward', false,
   'select profile_gigs.adopt(array(select n.id from new_rows n where n."isProfileGig"))');

insert into imago.plan_check (plan, position, name, severity, phase, source, fix, meaning, remedy) values
  ('profile_gigs', 1, 'freelancers_without_gig', 'error', 'after', 'public."User"', 'apply',
   'A freelancer whose profile is set has no profile gig: they came while sync was off, failed, are held, or the app has deleted the gig.',
   'Fix makes it from the columns of the user; so does migrate_batch. Who was rolled back alone has to be asked for.'),
  ('profile_gigs', 2, 'two_profile_gigs', 'error', 'during', 'public."Gigs"', null,
   'A user has more than one profile gig; the key is that of the surplus one. The unique index "Gigs_profile_gig_key" is missing.',
   'Take the mark from one: update "Gigs" set "isProfileGig" = false where id = <key>; then create the index again.'),
  ('profile_gigs', 3, 'sides_differ', 'error', 'during', 'public."Gigs"', 'apply',
   'Skills, languages, years or certificates of the user and of their profile gig differ, because a sync failed; which was written last is known.',
   'Fix copies what was written last; so does migrate_batch.'),
  ('profile_gigs', 4, 'sides_differ_undecided', 'error', 'during', 'public."Gigs"', null,
   'Skills, languages, years or certificates of the user and of their profile gig differ, and nothing tells which was written last.',
   'Decide, and write the other side: update "User" u set skills = g.skills, … from "Gigs" g where g.id = <key> and u.id = g."userId". Never fixed by itself.'),
  ('profile_gigs', 5, 'values_without_gig', 'warning', 'during', 'public."User"', null,
   'A user without a profile gig holds skills, languages, years or certificates. Finalize drops these columns, and refuses while there are any.',
   'Look whether they are a freelancer after all; else finalize with allow_data_loss, which keeps a copy until clean-up.');

select imago.publish_function('profile_gigs', 'public.get_user_profile_gig(integer)');
select imago.publish_function('profile_gigs', 'public.get_user_gigs(integer, boolean)');
select imago.revoke_plan_functions('profile_gigs');
