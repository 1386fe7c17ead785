create or replace function imago.key_now(plan text, relation text, key_column text)
returns text
language sql
stable
set search_path = ''
as $$
  select imago.key_text(array(
    select imago.name_now(key_now.plan, key_now.relation, c) from unnest(imago.key_names(key_now.key_column)) with ordinality u(c, n) order by n))
$$;
comment on function imago.key_now(text, text, text) is 'What the columns of a key, or of what names an entity, are called now.';
