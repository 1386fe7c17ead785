create or replace function imago.given(name text, value text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if value is null then
    perform imago.raise_error('IM004', name);
  end if;
  return value;
end
$$;
comment on function imago.given(text, text) is 'The value of an argument, or IM004 where it is null.';
