create or replace function imago.go_back(write imago.plan_write, part text, keys anyarray, force boolean default false, path text default '')
returns imago.way_back
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.way_back;
begin
  execute format('select b.* from imago_undo.%I($1, $2, $3, $4) b', write.undo_table || '_back') into result using part, keys, force, path;
  return result;
end
$$;
comment on function imago.go_back(imago.plan_write, text, anyarray, boolean, text) is 'Does one part of a rollback to one declared write, as build_back has generated it. path: the search_path for code of the app.';
