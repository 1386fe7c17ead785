create or replace function imago.may_follow(relation text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return pg_catalog.has_table_privilege(pg_catalog.to_regclass(relation), 'trigger');
end
$$;
comment on function imago.may_follow(text) is 'Whether the current user may put triggers on a table, for which it need not own it; null where there is no such table.';
