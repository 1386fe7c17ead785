create or replace function imago.key_names(key_column text)
returns text[]
language plpgsql
immutable
strict
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return case when key_column like '{%}' then key_column::text[] else array[key_column] end;
end
$$;
comment on function imago.key_names(text) is 'The columns of a key or of what names an entity, in order. One column is written by its name, several as an array is: {organization_id,user_id}.';
