create or replace function imago.is_once(staged imago.plan)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select staged.source_schema = staged.name and staged.source_table = 'once_' || staged.stage
$$;
comment on function imago.is_once(imago.plan) is 'Whether a stage is done once (add_once), instead of walking a table of the app.';
