create or replace function imago.undo_table_name(plan text, relation text)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when relation ~ '^public\.[a-z0-9_]+$' and octet_length(name) <= 45 then name
    else left(name, 36) || '_' || left(md5(undo_table_name.plan || ' ' || relation), 8)
  end
  from (select undo_table_name.plan || '_' || regexp_replace(lower(relation), '[^a-z0-9]+', '_', 'g') as name) full_name
$$;
comment on function imago.undo_table_name(text, text) is 'Name of an undo table: readable, and short enough to carry suffixes. Distinct for names that differ late, by a letter''s case or by what is no letter.';
