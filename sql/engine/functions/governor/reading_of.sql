create or replace function imago.reading_of(readings imago.reading[], signal text, name text)
returns imago.reading
language plpgsql
immutable
set search_path = ''
as $$
declare
  reading imago.reading;
begin
  foreach reading in array readings loop
    if reading.signal = reading_of.signal and reading.name = reading_of.name then
      return reading;
    end if;
  end loop;
  return null;
end
$$;
comment on function imago.reading_of(imago.reading[], text, text) is 'The reading of that signal and name; null if there is none.';
