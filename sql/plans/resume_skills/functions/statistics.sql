create or replace function resume_skills.statistics()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  amount bigint := 0;
begin
  if exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('public.users') and a.attname = 'skills' and not a.attisdropped) then
    select count(*) into amount from public.users u where u.skills::text = resume_skills.default_skills()::text;
  end if;
  return jsonb_build_object('users_with_default_skills', amount);
end
$$;
comment on function resume_skills.statistics() is 'What get_migration_statistics adds for this plan: users who have the default skills.';
