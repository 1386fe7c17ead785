create or replace function imago.restore_write(write imago.plan_write, query text, keys anyarray, force boolean, path text)
returns imago.way_back
language plpgsql
volatile
set search_path = ''
as $$
declare
  result imago.way_back;
begin
  perform set_config('search_path', path, true);
  execute imago.restore_sql(write, query, force::text) into result.rows, result.altered, result.moved using keys;
  return result;
end
$$;
comment on function imago.restore_write(imago.plan_write, text, anyarray, boolean, text) is 'Restores the rows of one declared write that several batches have written, by the query of undo_rows.';
