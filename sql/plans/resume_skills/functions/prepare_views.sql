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
