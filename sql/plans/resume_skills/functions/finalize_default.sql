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
