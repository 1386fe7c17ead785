create or replace function imago.reading_text(reading imago.reading)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when reading.sqlstate is not null then format('%s cannot be read (SQLSTATE %s)', s.name, reading.sqlstate)
    else format(s.words, reading.name, imago.amount_text(s.unit, reading.value, reading.capacity))
  end
  from imago.signal s where s.name = reading.signal
$$;
comment on function imago.reading_text(imago.reading) is 'A reason of the governor in words.';
