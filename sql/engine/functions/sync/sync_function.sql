create or replace function imago.sync_function(plan text, sync_position integer)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('%s_sync_%s', plan, sync_position)
$$;
comment on function imago.sync_function(text, integer) is 'Name of the trigger function of a sync, in schema imago_undo.';
