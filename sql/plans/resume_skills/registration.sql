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
