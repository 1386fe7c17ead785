-- Built from sql/ by `npm run build:sql`. Change the sources, not this file.

set local check_function_bodies = off;

-- resume_skills schema
select imago.create_plan('resume_skills', 'Profile picture and skills for all users', 'public', 'users', 'id', 'user', 'users');

-- resume_skills.apply
create or replace function resume_skills.apply(keys bigint[])
returns void
language sql
volatile
set search_path = ''
as $$
  select set_config('search_path', imago.app_search_path(), true);
  update public.users u set skills = resume_skills.default_skills() where u.id = any (keys) and u.skills is null
$$;
comment on function resume_skills.apply(bigint[]) is 'Gives exactly these users the default skills, where they have none.';

-- resume_skills.clean_profile_picture
create or replace function resume_skills.clean_profile_picture()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.drop_empty_column('resume_skills', 'public.users', 'profile_picture')
$$;
comment on function resume_skills.clean_profile_picture() is 'Clean-up step after a complete rollback: drops users.profile_picture if prepare added it and it is empty.';

-- resume_skills.clean_skills
create or replace function resume_skills.clean_skills()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  -- Prepare makes it again.
  drop view if exists resume_skills.concerned, resume_skills.pending;
  select imago.drop_empty_column('resume_skills', 'public.users', 'skills')
$$;
comment on function resume_skills.clean_skills() is 'Clean-up step after a complete rollback: drops users.skills if prepare added it and it is empty.';

-- resume_skills.default_skills
create or replace function resume_skills.default_skills()
returns json
language sql
immutable
set search_path = ''
as $$
  select '[{"name": "Unspecified", "level": "beginner"}]'::json
$$;
comment on function resume_skills.default_skills() is 'What users get who have not set their skills.';

-- resume_skills.finalize_default
create or replace function resume_skills.finalize_default()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  execute format('alter table public.users alter column skills set default %L', resume_skills.default_skills());
end
$$;
comment on function resume_skills.finalize_default() is 'Finalize step: the default skills become the column''s default, for users who sign up when sync is gone. Not null it does not become: an app may write null.';

-- resume_skills.preflight
create or replace function resume_skills.preflight()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  -- An app that has a column of this name already keeps it, if its type fits.
  select c.*
  from (values ('id', '{integer,bigint}'::text[]), ('skills', '{json}'), ('profile_picture', '{text,character varying,character varying(200)}')) v(name, types)
  cross join lateral imago.column_problems('public.users', v.name, v.types) c
  where v.name = 'id' or c.kind <> 'missing_column'
$$;
comment on function resume_skills.preflight() is 'What speaks against starting the plan on this app: a key that is no number, columns of other types.';

-- resume_skills.prepare_users
create or replace function resume_skills.prepare_users()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  name text;
  type text;
begin
  for name, type in
    select v.name, v.type
    from (values ('profile_picture', 'varchar(200)'), ('skills', 'json')) v(name, type)
    where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = 'public.users'::pg_catalog.regclass and a.attname = v.name and not a.attisdropped)
  loop
    execute format('alter table public.users add column %I %s', name, type);
    -- By this clean-up knows it from a column of the app's own.
    perform imago.note_added('resume_skills', 'public.users', name);
  end loop;
end
$$;
comment on function resume_skills.prepare_users() is 'Prepare step: users.profile_picture and users.skills, nullable, so that no row is written. Where the app has such a column, its own is used.';

-- resume_skills.prepare_views
create or replace function resume_skills.prepare_views()
returns void
language sql
volatile
set search_path = ''
as $$
  create or replace view resume_skills.concerned as
    select u.id as entity from public.users u
    where u.skills is null or u.skills::text = resume_skills.default_skills()::text;
  comment on view resume_skills.concerned is 'Users who have no skills or the default ones: who has set their own does not count as migrated.';
  create or replace view resume_skills.pending as
    select u.id as entity from public.users u where u.skills is null;
  comment on view resume_skills.pending is 'Users who have no skills. Who has any, an empty list or the JSON value null included, has set them.';
$$;
comment on function resume_skills.prepare_views() is 'Prepare step: the views concerned and pending.';

-- resume_skills.statistics
create or replace function resume_skills.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  amount bigint := 0;
begin
  if exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('public.users') and a.attname = 'skills' and not a.attisdropped) then
    select count(*) into amount from public.users u where u.skills::text = resume_skills.default_skills()::text;
  end if;
  return jsonb_build_object('users_with_default_skills', amount);
end
$$;
comment on function resume_skills.statistics() is 'What get_migration_statistics adds for this plan: users who have the default skills.';

-- resume_skills registration
insert into imago.plan_step (plan, position, name, phase, routine) values
  ('resume_skills', 1, 'users.profile_picture and users.skills', 'prepare', 'prepare_users'),
  ('resume_skills', 2, 'views', 'prepare', 'prepare_views'),
  ('resume_skills', 3, 'default of users.skills', 'finalize', 'finalize_default');

insert into imago.plan_step (plan, position, name, phase, routine, only_after) values
  ('resume_skills', 4, 'users.skills, if empty', 'cleanup', 'clean_skills', 'rollback'),
  ('resume_skills', 5, 'users.profile_picture, if empty', 'cleanup', 'clean_profile_picture', 'rollback');

insert into imago.plan_write (plan, position, relation, entity_column, columns) values
  ('resume_skills', 1, 'public.users', 'id', '{skills}');

insert into imago.plan_sync (plan, position, name, relation, events, entity_column, creates, statement) values
  ('resume_skills', 1, 'new users get skills', 'public.users', '{insert}', 'id', true,
   'select resume_skills.apply(array(select n.id from new_rows n where n.skills is null))');

insert into imago.plan_check (plan, position, name, severity, phase, source, query, fix, meaning, remedy) values
  ('resume_skills', 1, 'users_without_skills', 'error', 'after', 'public.users',
   'select u.id as key, u.id as entity from public.users u
    where u.skills is null and not imago.is_journaled(''resume_skills'', ''public.users'', u.id::text)',
   'apply',
   'A user has no skills and was never given any: they came later, failed, or are held.',
   'Move them: migrate_batch, or retry_failed_migrations for who has failed. Fix gives them the default skills.'),
  ('resume_skills', 2, 'skills_removed', 'error', 'during', 'public.users',
   'select u.id as key, u.id as entity from public.users u
    where u.skills is null and imago.is_journaled(''resume_skills'', ''public.users'', u.id::text)',
   'apply',
   'The journal says that a user was given skills, and they have none: somebody has set them to null.',
   'Fix gives them the default skills again; so does migrate_batch.'),
  ('resume_skills', 3, 'skills_of_another_shape', 'manual', 'during', 'public.users',
   'select u.id as key, u.id as entity from public.users u where json_typeof(u.skills) <> ''array''',
   null,
   'The skills of a user are no list: a reader that expects one will stumble.',
   'Look what the app wrote there. Never fixed by itself: what users have set is theirs.');

select imago.revoke_plan_functions('resume_skills');
