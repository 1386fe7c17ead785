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
