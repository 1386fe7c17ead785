create or replace function imago.missing_indexes(plan_name text)
returns table (write_id integer, relation text, column_name text, object text, statement text, bytes bigint, is_small boolean, is_left boolean)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select w.id, w.relation, p.name, i.object, i.hint, t.bytes, t.bytes < 16 * 1024 * 1024, p.name = any (w.left_unindexed)
  from imago.plan_write w
  cross join lateral jsonb_object_keys(w.points_to) p(name)
  cross join lateral imago.index_warning(w.relation, p.name, 'rollback') i
  cross join lateral (select imago.relation_bytes(w.relation) as bytes) t
  where w.plan = plan_name
  order by w.position, p.name;
end
$$;
comment on function imago.missing_indexes(text) is 'Declared columns that point at inserted rows and have no index, each with its statement and its table''s size. The statement builds one beside writers. is_small: reading all of it, or building the index, takes no more than a moment. is_left: to a person, by the last run.';
