create or replace function imago.pending_or_unknown(plan imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  -- Ends of the segments still to be asked about, nearest last: one that fails is cut in two, down to the key.
  ends integer[] := array[cardinality(keys)];
  first integer := 1;
  last integer;
  result text[] := '{}';
  of_the_app text[] := '{}';
  context text;
begin
  while first <= cardinality(keys) loop
    last := ends[cardinality(ends)];
    begin
      result := result || imago.pending_keys(plan, keys[first:last]);
      first := last + 1;
    exception when others or assert_failure then
      -- What is wrong with the view, or the server, is no matter of single rows.
      if left(sqlstate, 2) in ('42', '53', '58', 'XX') and sqlstate <> all (of_the_app) then
        get stacked diagnostics context = pg_exception_context;
        if not (imago.find_raiser(context, sqlstate, plan.name)).by_app then
          raise;
        end if;
        of_the_app := of_the_app || sqlstate;
      end if;
      if first < last then
        ends := ends || first + (last - first) / 2;
      else
        result := result || keys[first];
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
comment on function imago.pending_or_unknown(imago.plan, text[]) is 'Those of the keys that are pending, or of which the view pending raises an error, in their order. A batch that is to move them finds out why, and sets them aside.';
