create or replace function imago.adopt_indexes(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  pointing record;
  own text;
begin
  for pointing in
    select w.relation, p.name as column_name, f.piece
    from imago.plan_write w
    cross join lateral jsonb_object_keys(w.points_to) p(name)
    cross join lateral imago.written_tables(w.relation) f(piece)
    where w.plan = plan_name
  loop
    -- By its name, in each call: there is hardly ever one.
    select x.oid::pg_catalog.regclass::text into own
    from pg_catalog.pg_class x
    join pg_catalog.pg_index i on i.indexrelid = x.oid and i.indrelid = pointing.piece and i.indisvalid
    where x.relname = imago.direct_index_name(pointing.piece::text, pointing.column_name);
    if found and not imago.is_added(plan_name, own) then
      perform imago.note_added(plan_name, own);
      perform imago.write_log(plan_name, (imago.last_run(plan_name)).id, 'info', 'index',
        jsonb_build_object('relation', pointing.relation, 'column', pointing.column_name, 'concurrently', true));
    end if;
  end loop;
end
$$;
comment on function imago.adopt_indexes(text) is 'Notes indexes that a connection or pg_cron has built for a plan as its own.';
