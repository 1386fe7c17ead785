create or replace function imago.lagging_sequences(plan imago.plan)
returns table (object text, sequence text, next_value numeric, largest numeric, statement text)
language plpgsql
stable
set search_path = ''
as $$
declare
  drawn record;
begin
  for drawn in
    select w.relation, c.column_name, q.seqincrement as step, format('%I.%I', n.nspname, s.relname) as name
    from imago.plan_write w
    cross join lateral imago.column_sequences(w.relation) c
    join pg_catalog.pg_sequence q on q.seqrelid = c.sequence and not q.seqcycle
    join pg_catalog.pg_class s on s.oid = c.sequence
    join pg_catalog.pg_namespace n on n.oid = s.relnamespace
    where w.plan = plan.name and w.inserts and pg_catalog.has_sequence_privilege(c.sequence, 'select')
    order by w.position, c.column_name
  loop
    object := format('%s.%I', drawn.relation, drawn.column_name);
    sequence := drawn.name;
    execute format(
      'select s.last_value + case when s.is_called then $1 else 0 end, (select %s(t.%I) from %s t) from %s s',
      case when drawn.step > 0 then 'max' else 'min' end, drawn.column_name, drawn.relation, drawn.name)
    into next_value, largest using drawn.step;
    continue when largest is null or drawn.step > 0 and largest < next_value or drawn.step < 0 and largest > next_value;
    statement := format('select setval(%L, (select %s(%I) from %s));',
      drawn.name, case when drawn.step > 0 then 'max' else 'min' end, drawn.column_name, drawn.relation);
    return next;
  end loop;
end
$$;
comment on function imago.lagging_sequences(imago.plan) is 'Sequences that lag behind the column that they fill, of tables into which a plan inserts. statement sets one right.';
