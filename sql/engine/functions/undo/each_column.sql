create or replace function imago.each_column(template text, relation text, columns text[], separator text default ', ')
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select string_agg(
      format(template, c.ordinal, c.name, c.type, c.kept, case when c.comparable then c.kept else 'text collate "C"' end),
      separator order by c.ordinal)
    from imago.journal_columns(each_column.relation, each_column.columns) c);
end
$$;
comment on function imago.each_column(text, text, text[], text) is 'Writes a template once for each column. %1 is the position, %2 name, %3 type, %4 type in the journal, %5 type to compare by, so that a value changed to an equal one is a change.';
