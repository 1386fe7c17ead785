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
