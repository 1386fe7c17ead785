create or replace function imago.shown_columns(relation text, source text, link jsonb, origins jsonb, role text)
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(c.name order by c.name), '{}')
  from (
    select a.attname::text as name from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass(relation) and a.attnum > 0 and not a.attisdropped
    union
    -- It has yet to be made.
    select k from jsonb_object_keys(link || origins) k where pg_catalog.to_regclass(relation) is null
    union
    select '*' where pg_catalog.to_regclass(relation) is null and link = '{}'
  ) c
  -- Without the columns of the link the policy cannot look.
  where case when link = '{}' then pg_catalog.has_table_privilege((parse_ident(role))[1], pg_catalog.to_regclass(source), 'select')
    else not exists (
      select from jsonb_array_elements_text(coalesce(origins -> c.name, '[]') || (select jsonb_agg(l.value) from jsonb_each(link) l)) o(name)
      where not pg_catalog.has_column_privilege((parse_ident(role))[1], pg_catalog.to_regclass(source), o.name, 'select')) end
$$;
comment on function imago.shown_columns(text, text, jsonb, jsonb, text) is 'Columns of a table that a role may read: those whose values come from columns of the source that it may read.';
