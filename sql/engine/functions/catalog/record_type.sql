create or replace function imago.record_type(plan_name text, stage integer)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('%I.%I', plan_name, 'key' || case when stage > 1 then '_' || stage else '' end)
$$;
comment on function imago.record_type(text, integer) is 'The type of a stage''s keys where they have several columns; the plan makes it.';
