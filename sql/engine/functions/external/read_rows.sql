create or replace function imago.read_rows(run imago.run, plan imago.plan, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Ends of the segments still to be read, nearest last: one that fails is cut in two, down to the key.
  ends integer[] := array[cardinality(keys)];
  first integer := 1;
  last integer;
  part jsonb;
  error imago.attempt;
  context text;
  result jsonb := '{}';
begin
  while first <= cardinality(keys) loop
    last := ends[cardinality(ends)];
    begin
      perform set_config('search_path', imago.app_search_path(), true);
      execute format('select %s($1::%s[])', imago.plan_object(plan, 'read'), plan.key_type) into part using keys[first:last];
      perform pg_catalog.set_config('search_path', '', true);
      result := result || coalesce(part, '{}');
      first := last + 1;
    exception when others or assert_failure then
      error := null;
      get stacked diagnostics
        error.sqlstate = returned_sqlstate, error.constraint_name = constraint_name, error.table_name = table_name,
        error.column_name = column_name, context = pg_exception_context;
      error := imago.sort_error(error, null, context, plan.name);
      if error.outcome = 'blocked' then
        raise;
      elsif error.outcome = 'stop' then
        perform imago.raise_error('IM071', 'function ' || imago.plan_object(plan, 'read'), plan.name, imago.sqlstate_text(error.sqlstate, error.raised_by));
      elsif first < last then
        ends := ends || first + (last - first) / 2;
      else
        perform imago.set_aside(run, keys[first], 'failed', error.sqlstate, error.constraint_name, error.table_name, error.column_name,
          stage => plan.stage, raised_by => error.raised_by);
        first := last + 1;
      end if;
    end;
    if first > last then
      ends := trim_array(ends, 1);
    end if;
  end loop;
  return result;
end
$$;
comment on function imago.read_rows(imago.run, imago.plan, text[]) is 'What read of an external stage gives for these keys, by key. A key over which it stumbles is set aside.';
