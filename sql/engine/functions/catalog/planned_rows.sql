create or replace function imago.planned_rows(relation text)
returns numeric
language plpgsql
-- It changes nothing; but PostgreSQL takes no explain in a stable function.
volatile
set search_path = ''
as $$
declare
  explained jsonb;
begin
  execute format('explain (format json) select from %s', relation) into explained;
  return explained -> 0 -> 'Plan' -> 'Plan Rows';
end
$$;
comment on function imago.planned_rows(text) is 'Rows of a relation as the planner expects them; nothing is read.';
