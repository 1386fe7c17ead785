create or replace function imago.follow_schema(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  moves jsonb;
  move record;
  lost jsonb;
begin
  if not exists (select from imago.plan p where p.name = plan_name and p.prepared_at is not null and p.closed_at is null) then
    return;
  end if;
  if not exists (select from imago.schema_moves(plan_name))
     and not exists (select from imago.declared d where d.plan = plan_name and d.noted_in <> 'imago.declared'::pg_catalog.regclass) then
    return;
  end if;
  -- One caller follows, the others find it done.
  perform from imago.plan p where p.name = plan_name for update;
  select jsonb_agg(to_jsonb(m)) into moves from imago.schema_moves(plan_name) m;
  select jsonb_agg(to_jsonb(l)) into lost from imago.lost_columns(plan_name) l;
  perform imago.raise_lost(plan_name, lost);
  perform imago.expect_small_journal(plan_name, moves);

  for move in select m.* from imago.schema_moves(plan_name) m where m.number = 0 and m.kind = 'renamed' loop
    perform imago.follow_rename(plan_name, move.relation, null, move.becomes);
  end loop;
  perform imago.follow_columns(plan_name);
  -- By way of names that nobody has: two columns may have changed places.
  for move in select m.* from imago.schema_moves(plan_name) m where m.number > 0 and m.kind = 'renamed' loop
    perform imago.follow_rename(plan_name, move.relation, move.name, chr(1) || move.number);
  end loop;
  for move in select m.* from imago.schema_moves(plan_name) m where m.number > 0 and m.kind = 'renamed' loop
    perform imago.follow_rename(plan_name, move.relation, chr(1) || move.number, move.becomes);
  end loop;
  perform imago.follow_added(plan_name);
  perform imago.follow_values(plan_name);
  perform imago.follow_keys(plan_name);
  perform imago.note_schema(plan_name);
  perform imago.rebuild_functions(plan_name);
  perform imago.write_log(plan_name, null, 'warning', 'schema_moved', jsonb_build_object('followed', coalesce(moves, '[]')));
end
$$;
comment on function imago.follow_schema(text) is 'Before anything is moved: has the plan follow what the catalogue proves to be the same under another name or type. What is not there any more is an error (IM076).';
