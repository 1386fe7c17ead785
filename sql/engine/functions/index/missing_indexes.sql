create or replace function imago.missing_indexes(plan_name text)
returns table (
  write_id integer, relation text, column_name text, piece text, object text, statement text, bytes bigint, ms numeric, is_small boolean, is_left boolean)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  select m.*, m.bytes < 16 * 1024 * 1024, m.column_name = any (w.left_unindexed)
  from (
    select w.id as write_id, w.relation, p.name as column_name, u.piece::text as piece, format('%s.%I', u.piece, p.name),
      format('create index concurrently on %s (%I);', u.piece, p.name),
      sum(imago.relation_bytes(u.piece::text)) over (partition by w.id, p.name)::bigint as bytes,
      sum(imago.index_hold_ms(u.piece::text)) over (partition by w.id, p.name) as ms
    from imago.plan_write w
    cross join lateral jsonb_object_keys(w.points_to) p(name)
    cross join lateral imago.unindexed_tables(w.relation, p.name) u(piece)
    where w.plan = plan_name
  ) m
  join imago.plan_write w on w.id = m.write_id
  order by w.position, m.column_name, m.piece;
end
$$;
comment on function imago.missing_indexes(text) is 'Declared columns that point at inserted rows and have no index, each with its statement and its table''s size. ms: how long its writers would wait for a call that builds it. The statement builds one beside writers; of a partitioned table one for each partition (piece) that lacks it, bytes and ms being those of all of these. is_small: reading all of it, or building the index, takes no more than a moment. is_left: to a person, by the last run.';
