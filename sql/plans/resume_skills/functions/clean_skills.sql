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
