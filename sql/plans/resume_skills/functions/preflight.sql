create or replace function resume_skills.preflight()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  -- An app that has a column of this name already keeps it, if its type fits.
  select c.*
  from (values ('id', '{integer,bigint}'::text[]), ('skills', '{json}'), ('profile_picture', '{text,character varying,character varying(200)}')) v(name, types)
  cross join lateral imago.column_problems('public.users', v.name, v.types) c
  where v.name = 'id' or c.kind <> 'missing_column'
$$;
comment on function resume_skills.preflight() is 'What speaks against starting the plan on this app: a key that is no number, columns of other types.';
