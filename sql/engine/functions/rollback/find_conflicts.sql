create or replace function imago.find_conflicts(run imago.run, plan imago.plan, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  conflicts jsonb := '[]';
  more jsonb;
  good text[] := keys;
begin
  if run.force then
    perform imago.write_log(run.plan, run.id, 'warning', 'left_behind', jsonb_build_object('relation', l.relation, 'row_key', l.row_key), l.entity)
    from imago.lost_rows(plan, keys) l;
  else
    select coalesce(jsonb_agg(to_jsonb(e)), '[]') into conflicts
    from (select * from imago.edited_rows(plan, keys) union all select * from imago.lost_rows(plan, keys)) e;
  end if;
  more := conflicts;
  loop
    select coalesce(array_agg(k), '{}') into good from unnest(good) k
    where k not in (select c ->> 'entity' from jsonb_array_elements(more) c);
    select coalesce(jsonb_agg(to_jsonb(r)), '[]') into more from imago.referenced_rows(plan, good) r;
    exit when more = '[]';
    conflicts := conflicts || more;
  end loop;
  return conflicts;
end
$$;
comment on function imago.find_conflicts(imago.run, imago.plan, text[]) is 'What keeps entities from going back, as an array of entity, relation, row_key, reason_kind, referenced_by. An entity that stays keeps what it refers to, hence the loop.';
