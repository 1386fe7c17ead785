create or replace function imago.lost_columns(plan_name text)
returns table (relation text, name text, reason text)
language sql
stable
set search_path = ''
as $$
  select m.relation, m.name,
    case m.kind when 'dropped' then 'was dropped'
      else concat_ws('; ', 'is another table now', 'the one that was prepared is ' || m.becomes) end
  from imago.schema_moves(plan_name) m
  where m.kind = 'replaced'
     or m.kind = 'dropped' and (
       m.number = 0
       or exists (
         select from imago.plan_write w
         where w.plan = plan_name and w.relation = m.relation
           and (m.name = any (w.columns || w.key_columns) or m.name = any (imago.key_names(w.entity_column))))
       or exists (
         select from imago.plan p cross join lateral imago.plan_stages(p) s
         where p.name = plan_name and s.source = m.relation and m.name = any (imago.key_names(s.key_column))))
  union all
  select s.source, f.name, format('is of type %1$s now, and field %2$I of %3$s is %4$s: alter type %3$s alter attribute %2$I type %1$s; then create the view %5$s again',
    f.type, f.field, s.key_type, f.field_type, imago.plan_object(s, 'pending'))
  from imago.plan p cross join lateral imago.plan_stages(p) s cross join lateral imago.unlike_fields(s) f
  where p.name = plan_name
$$;
comment on function imago.lost_columns(text) is 'Tables and columns that a plan needs to go forward or back, and that are not there any more.';
