create or replace function imago.give_up_column(plan_name text, relation text, column_name text default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  write imago.plan_write;
  place integer;
  old_place integer;
  whole boolean;
  lost record;
  result jsonb;
begin
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  perform from imago.plan p where p.name = plan_name for update;
  select w.* into write from imago.plan_write w
  where w.plan = plan_name and w.relation = give_up_column.relation and w.undo_table is not null;
  if write.id is null or not exists (
    select from imago.schema_moves(plan_name) m
    where m.relation = give_up_column.relation and m.kind in ('dropped', 'replaced', 'retyped') and coalesce(m.name, '') = coalesce(give_up_column.column_name, '')) then
    perform imago.raise_error('IM077', plan_name, concat_ws('.', relation, quote_ident(column_name)));
  end if;
  place := array_position(write.columns, column_name);
  old_place := array_position(write.deleted_columns, column_name);
  whole := column_name is null or column_name = any (write.key_columns) or coalesce(column_name = any (imago.key_names(write.entity_column)), false)
    or place is not null and cardinality(write.columns) = 1 and not write.inserts and not write.deletes;
  if whole and exists (select from imago.plan_stages(plan) s where s.source = give_up_column.relation) and column_name is null
     or not whole and place is null and old_place is null then
    perform imago.raise_error('IM077', plan_name, concat_ws('.', relation, quote_ident(column_name)));
  end if;

  execute format(
    'select count(*) as rows, count(distinct j.entity) as entities, (array_agg(distinct j.entity::text))[:10] as keys
     from imago_undo.%I j where %s', write.undo_table,
    case when whole then 'true' else concat_ws(' or ',
      case when place is not null then format('j.op = ''u'' and j.before_%1$s::text is distinct from j.after_%1$s::text', place) end,
      case when old_place is not null then format('j.old_%s is not null', old_place) end) end)
  into lost;
  if whole then
    perform imago.drop_write(write);
  else
    if old_place is not null then
      update imago.plan_write w set deleted_columns[old_place] = '' where w.id = write.id;
    end if;
    if place is not null then
      perform imago.drop_journaled(write, place);
    end if;
  end if;
  perform imago.rebuild_functions(plan_name);
  result := jsonb_build_object('plan', plan_name, 'relation', relation, 'column', column_name, 'rows', lost.rows, 'entities', lost.entities);
  perform imago.write_log(plan_name, null, 'warning', 'given_up', result || jsonb_build_object('keys', coalesce(to_jsonb(lost.keys), '[]')));
  return result || jsonb_build_object('keys', coalesce(to_jsonb(lost.keys), '[]'), 'whole_table', whole,
    'meaning', format('Rollback puts back all but %s: %s rows of %s entities.', concat_ws('.', relation, quote_ident(case when not whole then column_name end)), lost.rows, lost.entities));
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', plan_name);
end
$$;
comment on function imago.give_up_column(text, text, text) is 'Takes a column, or a table, that is lost (IM076) out of what a plan journals. All else can go back then; says what cannot.';
