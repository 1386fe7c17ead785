create or replace function imago.relabel(value text, was text[], becomes text[], is_array boolean)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  labels text[];
begin
  if not is_array then
    return coalesce(becomes[array_position(was, value)], value);
  end if;
  labels := value::text[];
  -- By way of names that no label has: two may have changed places.
  for place in 1 .. cardinality(was) loop
    labels := array_replace(labels, was[place], chr(1) || place);
  end loop;
  for place in 1 .. cardinality(was) loop
    labels := array_replace(labels, chr(1) || place, becomes[place]);
  end loop;
  return labels::text;
end
$$;
comment on function imago.relabel(text, text[], text[], boolean) is 'A value of an enum, or of an array of one, as text, with labels renamed.';
