create or replace function imago.follow_moves(plan_name text, relation text, identity imago.identity, moves jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  walk imago.identity_walk;
  reference imago.identity_reference;
  write imago.plan_write;
  changed record;
begin
  if exists (select from jsonb_array_elements(moves) m where m -> 0 = 'null' or m -> 1 = 'null') then
    -- A trigger of the app has kept some of the rows from coming to another partition: which, nobody says.
    perform imago.lose_rows(plan_name, relation, null, null);
    return;
  end if;
  foreach walk in array identity.walks loop
    select c.* into changed from imago.changed_keys(moves, identity.columns, walk.key_column, imago.record_type(plan_name, walk.stage)) c;
    if changed.was <> '{}' then
      perform imago.follow_entities(plan_name, walk.stage, changed.was, changed.becomes);
      for write in
        select w.* from unnest(identity.writes) w
        where w.stage = walk.stage and w.entity_column is not null and w.relation <> follow_moves.relation
          and not exists (
            select from unnest(identity.refs) f where f.write_id = w.id and f.name = w.entity_column and f.referenced = walk.key_column)
      loop
        perform imago.note_strays(write, changed.becomes);
      end loop;
    end if;
  end loop;
  foreach reference in array identity.refs loop
    select c.* into changed from imago.changed_keys(moves, identity.columns, reference.referenced) c;
    if changed.was <> '{}' then
      select w.* into write from unnest(identity.writes) w where w.id = reference.write_id;
      perform imago.follow_references(write, reference.name, changed.was, changed.becomes);
    end if;
  end loop;
  for write in select w.* from unnest(identity.writes) w where w.relation = follow_moves.relation loop
    perform imago.follow_row_keys(write, identity.columns, moves);
  end loop;
end
$$;
comment on function imago.follow_moves(text, text, imago.identity, jsonb) is 'Has the journal of a plan follow rows whose identity the app has changed (moves_query). First the entities, then what refers to them, then the keys of the rows.';
