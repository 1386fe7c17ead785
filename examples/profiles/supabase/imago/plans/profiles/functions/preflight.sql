create or replace function profiles.preflight()
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select * from imago.relation_problems('public.profiles')
  union all select * from imago.column_problems('public.profiles', 'id', '{uuid}')
  union all select * from imago.column_problems('public.profiles', 'full_name', '{text}')
  union all select * from imago.column_problems('public.profiles', 'avatar_url', '{text}')
$$;
comment on function profiles.preflight() is 'What speaks against starting: profiles that are not there, or not in the shape of the starter.';
