create or replace function imago.follow_values(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  move record;
  problem text;
begin
  for move in
    select v.*, w as write
    from (
      select m.relation, coalesce(r.becomes, m.name) as name, m.kind, max(m.was) as was, max(m.becomes) as becomes,
        array_agg(m.was) as labels, array_agg(m.becomes) as new_labels
      from imago.schema_moves(plan_name) m
      left join imago.schema_moves(plan_name) r on r.relation = m.relation and r.number = m.number and r.kind = 'renamed'
      where m.kind in ('retyped', 'label')
      group by 1, 2, 3
    ) v
    join imago.plan_write w on w.plan = plan_name and w.relation = v.relation and w.undo_table is not null
    -- Keys first: by them the rows of the other columns are found.
    order by v.name = any (w.key_columns) desc
  loop
    if move.kind = 'label' then
      perform imago.follow_label(move.write, move.name, move.labels, move.new_labels);
      continue;
    end if;
    problem := imago.follow_type(move.write, move.name, move.was);
    if problem is not null then
      perform imago.raise_lost(plan_name, jsonb_build_array(jsonb_build_object(
        'relation', move.relation, 'name', move.name, 'reason', format('is of type %s now; %s', move.becomes, problem))));
    end if;
  end loop;
end
$$;
comment on function imago.follow_values(text) is 'Has the journal of a plan follow new types of its columns and new labels of enums. Where a value does not cast, that is an error (IM076).';
