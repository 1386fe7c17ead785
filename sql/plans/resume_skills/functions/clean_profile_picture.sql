create or replace function resume_skills.clean_profile_picture()
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.drop_empty_column('resume_skills', 'public.users', 'profile_picture')
$$;
comment on function resume_skills.clean_profile_picture() is 'Clean-up step after a complete rollback: drops users.profile_picture if prepare added it and it is empty.';
