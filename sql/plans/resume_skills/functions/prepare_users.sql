create or replace function resume_skills.prepare_users()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  name text;
  type text;
begin
  for name, type in
    select v.name, v.type
    from (values ('profile_picture', 'varchar(200)'), ('skills', 'json')) v(name, type)
    where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = 'public.users'::pg_catalog.regclass and a.attname = v.name and not a.attisdropped)
  loop
    execute format('alter table public.users add column %I %s', name, type);
    -- By this clean-up knows it from a column of the app's own.
    perform imago.note_added('resume_skills', 'public.users', name);
  end loop;
end
$$;
comment on function resume_skills.prepare_users() is 'Prepare step: users.profile_picture and users.skills, nullable, so that no row is written. Where the app has such a column, its own is used.';
