create or replace function imago.follow_columns(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  move record;
begin
  update imago.plan_write w set inserted_prints = array_fill(null::integer, array[cardinality(w.inserted_columns)])
  where w.plan = plan_name and w.inserts and w.inserted_prints = '{}' and w.relation in (
    select m.relation from imago.schema_moves(plan_name) m where m.kind in ('added', 'dropped') and m.number > 0);
  for move in
    select m.*, a.atthasdef and not a.atthasmissing as is_unknown, pg_catalog.hashtext((a.attmissingval::text::text[])[1] collate "C") as print
    from imago.schema_moves(plan_name) m
    left join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(m.relation) and a.attnum = m.number
    where m.kind in ('added', 'dropped') and m.number > 0
    order by m.number
  loop
    -- Of a default that is another in each row nobody knows what it was: such a column is not watched.
    update imago.plan_write w set
      inserted_columns = case when move.kind = 'dropped' then array_replace(w.inserted_columns, move.name, '')
        else w.inserted_columns || case when move.is_unknown then '' else move.name end end,
      inserted_prints = case when move.kind = 'dropped' then w.inserted_prints else w.inserted_prints || move.print end
    where w.plan = plan_name and w.relation = move.relation and w.inserts;
  end loop;
end
$$;
comment on function imago.follow_columns(text) is 'Has the fingerprints of inserted rows leave out columns that the app has dropped, and take in those that it has added.';
