create or replace function imago.walk_function(plan_name text, stage integer)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('%s_walk_%s', plan_name, stage)
$$;
comment on function imago.walk_function(text, integer) is 'Name of the trigger function of a table that a plan walks and does not write, in schema imago_undo.';
