create or replace function imago.found_problems(plan imago.plan)
returns setof imago.problem
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  -- A plan may declare its writes only when it is prepared: until then any of its tables may be one that it writes.
  declares constant boolean := exists (select from imago.plan_write w where w.plan = plan.name);
  own_function constant text := format('%I.preflight()', plan.name);
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    if declares then
      return query select * from imago.reading_problems(staged.source);
    else
      return query select * from imago.relation_problems(staged.source);
    end if;
    return query select * from imago.key_problems(staged);
    return query select * from imago.once_problems(staged);
    return query select * from imago.external_problems(staged);
  end loop;
  return query select * from imago.declared_problems(plan);
  return query select * from imago.foreign_notes(plan);
  return query select * from imago.rule_problems(plan);
  return query
    select 'error', 'hidden_rows', h::text, format('row level security hides rows of it from %s', current_user),
      case when pg_catalog.pg_has_role(c.relowner, 'usage') then format('alter table %s no force row level security;', h) else imago.owner_remedy(c.relowner) end
    from imago.hidden_relations(plan) h join pg_catalog.pg_class c on c.oid = h;
  return query
    select p.*
    from jsonb_populate_recordset(null::imago.problem, imago.ask_plan(plan.name, 'function ' || own_function,
      format('select coalesce(jsonb_agg(to_jsonb(p)), ''[]'') from (select severity, kind, object, message, hint from %s) p', own_function))) p;
  return query
    select 'error', 'schema_moved', l.relation || coalesce('.' || quote_ident(l.name), ''), l.reason,
      format('Put it back; or: select give_up_column(%s);', concat_ws(', ', quote_literal(plan.name), quote_literal(l.relation), quote_literal(l.name)))
    from imago.lost_columns(plan.name) l;
  return query
    select 'warning', 'no_counts', 'track_counts', 'is off: what is written cannot be compared with what is journaled',
      'As a superuser: alter system set track_counts = on; select pg_reload_conf();'
    where current_setting('track_counts') = 'off';
  return query select * from imago.overlap_problems(plan);
  return query select * from imago.guard_triggers(plan);
  return query select * from imago.moved_columns(plan);
  return query select * from imago.open_schemas();
  return query
    select 'warning', 'no_index', u.object,
      format('has no index; %s%s',
        case when not u.is_left then 'its table is too large for the run to build one, and ' end,
        case when u.is_small then 'rollback reads the whole table for each entity' else 'rollback is refused until it has one' end),
      u.statement
    from imago.missing_indexes(plan.name) u where u.is_left or u.bytes >= imago.setting_number('index_mb') * 1024 * 1024;
end
$$;
comment on function imago.found_problems(imago.plan) is 'What speaks against starting, as it is found: some of it twice.';
