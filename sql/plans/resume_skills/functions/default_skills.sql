create or replace function resume_skills.default_skills()
returns json
language sql
immutable
set search_path = ''
as $$
  select '[{"name": "Unspecified", "level": "beginner"}]'::json
$$;
comment on function resume_skills.default_skills() is 'What users get who have not set their skills.';
