create or replace function imago.find_conflicts(run imago.run, plan imago.plan, batch bigint, keys text[])
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  has_deletes constant boolean := exists (select from imago.stage_writes(plan) w where w.deletes);
  conflicts jsonb := '[]';
  more jsonb;
  given_up jsonb;
  good text[] := keys;
begin
  if run.force then
    perform imago.write_log(run.plan, run.id, 'warning', 'left_behind', jsonb_build_object('relation', l.relation, 'row_key', l.row_key), l.entity)
    from (select * from imago.lost_rows(plan, keys) union all select * from imago.deleted_since(plan, keys)) l;
  else
    select coalesce(jsonb_agg(to_jsonb(e)), '[]') into conflicts
    from (
      select * from imago.edited_rows(plan, keys) union all select * from imago.lost_rows(plan, keys)
      union all select * from imago.deleted_since(plan, keys)) e;
  end if;
  more := conflicts;
  loop
    select coalesce(array_agg(k), '{}') into good from unnest(good) k
    where k not in (select c ->> 'entity' from jsonb_array_elements(more) c);
    select coalesce(jsonb_agg(to_jsonb(r)), '[]') into more from imago.referenced_rows(plan, good) r;
    if has_deletes and more = '[]' then
      select coalesce(jsonb_agg(to_jsonb(o)) filter (where run.force or o.goes_along), '[]'), coalesce(jsonb_agg(to_jsonb(o) - 'goes_along'), '[]')
        into given_up, more
      from imago.orphaned_rows(plan, good) o;
      if given_up = '[]' and more = '[]' then
        more := imago.find_taken(run, plan, batch, good);
        given_up := case when run.force then more else '[]' end;
      end if;
      if given_up <> '[]' then
        -- Others may refer to them.
        perform imago.leave_rows(run, plan, given_up);
        more := '[]';
        continue;
      end if;
    end if;
    exit when more = '[]';
    conflicts := conflicts || more;
  end loop;
  return conflicts;
end
$$;
comment on function imago.find_conflicts(imago.run, imago.plan, bigint, text[]) is 'What keeps entities from going back, as an array of entity, relation, row_key, reason_kind, referenced_by. An entity that stays keeps what it refers to, hence the loop. Deleted rows that will not come back are given up.';
