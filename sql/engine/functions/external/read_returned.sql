create or replace function imago.read_returned(name text, given jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Some clients send an object as its text.
  if jsonb_typeof(given) = 'string' then
    begin
      given := (given #>> '{}')::jsonb;
    exception when data_exception then
      null;
    end;
  end if;
  if given is null then
    perform imago.raise_error('IM004', name);
  elsif jsonb_typeof(given) <> 'object' then
    perform imago.raise_error('IM015', name, jsonb_typeof(given), 'an object, with an entry for each key');
  end if;
  return given;
end
$$;
comment on function imago.read_returned(text, jsonb) is 'Results or failures that a driver brings back, or IM004, IM015.';
