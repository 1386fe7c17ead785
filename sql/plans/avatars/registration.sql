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
