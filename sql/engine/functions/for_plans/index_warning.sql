create or replace function imago.index_warning(relation text, name text, purpose text)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
#variable_conflict use_column
begin
  return query
  -- None can be built concurrently on a partitioned table, but on each of its partitions.
  select 'warning', 'no_index', format('%s.%I', u, name), format('has no index; %s reads the whole table for each batch', purpose),
    format('create index concurrently on %s (%I);', u, name)
  from imago.unindexed_tables(relation, name) u;
end
$$;
comment on function imago.index_warning(text, text, text) is 'For plans: a warning of preflight(), with the statement to run, where a column that the plan searches has no index.

Example: select * from imago.index_warning(''public.posts'', ''user_id'', ''the walk'')';
