create or replace function imago.renamed_key(key_column text, name text, becomes text)
returns text
language sql
immutable
set search_path = ''
as $$
  select imago.key_text(array_replace(imago.key_names(key_column), name, becomes))
$$;
comment on function imago.renamed_key(text, text, text) is 'A key, or what names an entity, with one of its columns renamed.';
