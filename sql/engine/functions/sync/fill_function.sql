create or replace function imago.fill_function(plan text, sync_position integer)
returns text
language sql
immutable
set search_path = ''
as $$
  select format('%s_fill_%s', plan, sync_position)
$$;
comment on function imago.fill_function(text, integer) is 'Name of the trigger function that fills a column of new rows for a sync, in schema imago_undo. The setting by which it tells the sync of them is called the same.';
