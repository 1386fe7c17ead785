create or replace function imago.follow_moves(plan_name text, relation text, moves jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  names constant text[] := imago.identity_columns(plan_name, relation);
  item record;
  changed record;
begin
  if exists (select from jsonb_array_elements(moves) m where m -> 0 = 'null' or m -> 1 = 'null') then
    -- A trigger of the app has kept some of the rows from coming to another partition: which, nobody says.
    perform imago.lose_rows(plan_name, relation, null, null);
    return;
  end if;
  for item in select w.stage, w.key_column from imago.walks_now(plan_name) w where w.relation = follow_moves.relation loop
    select c.* into changed from imago.changed_values(moves, array_position(names, item.key_column)) c;
    if changed.was <> '{}' then
      perform imago.follow_entities(plan_name, item.stage, changed.was, changed.becomes);
    end if;
  end loop;
  for item in select r.* from imago.references_now(plan_name, relation) r loop
    select c.* into changed from imago.changed_values(moves, array_position(names, item.referenced)) c;
    if changed.was <> '{}' then
      perform imago.follow_references(item.write, item.name, changed.was, changed.becomes);
    end if;
  end loop;
  for item in select w as write from imago.writes_now(plan_name) w where w.relation = follow_moves.relation loop
    perform imago.follow_row_keys(item.write, imago.resolve_moves(item.write, names, moves));
  end loop;
end
$$;
comment on function imago.follow_moves(text, text, jsonb) is 'Has the journal of a plan follow rows whose identity the app has changed (moves_query). First the entities, then what refers to them, then the keys of the rows.';
