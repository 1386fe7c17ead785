insert into imago.plan_step (plan, position, name, routine, phase) values
  ('profiles', 1, 'views', 'prepare', 'prepare'),
  ('profiles', 2, 'views dropped', 'clean', 'cleanup');

insert into imago.plan_write (plan, position, relation, entity_column, inserts) values
  ('profiles', 1, 'public.profiles', 'id', true),
  ('profiles', 2, 'profiles.given', 'entity', true);

insert into imago.plan_sync (plan, position, name, relation, events, entity_column, creates, statement) values
  ('profiles', 1, 'sign-ups', 'auth.users', '{insert}', 'id', true,
   'select profiles.apply(array(select n.id from new_rows n))');

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, fix, meaning, remedy) values
  ('profiles', 1, 'users_without_profile', 'error', 'after', 'auth.users', 'id',
   'select u.id as key, u.id as entity from auth.users u where not exists (select from public.profiles p where p.id = u.id)',
   'apply',
   'A user has no profile: they came later, failed, are held, or somebody has deleted it.',
   'Call migrate_batch, or retry_failed_migrations for what has failed.');

select imago.revoke_plan_functions('profiles');
