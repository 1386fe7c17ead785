create or replace function imago.find_unreachable(plan imago.plan, most integer)
returns table (stage integer, source text, entity text)
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
begin
  for staged in
    select s.* from imago.plan_stages(plan) s
    where pg_catalog.to_regclass(imago.plan_object(s, 'pending')) is not null and pg_catalog.to_regclass(s.source) is not null
  loop
    return query
      select staged.stage, staged.source, u.entity
      from jsonb_array_elements_text(imago.ask_pending(staged, format(
        'select coalesce(jsonb_agg(%s order by u.entity nulls first), ''[]'') from (
           select p.entity from (select distinct entity from %s) p
           where not exists (select from %s s where %s) order by p.entity nulls first limit %s) u',
        imago.text_of_key(staged.key_type, 'u.entity'), imago.plan_object(staged, 'pending'), staged.source, imago.same_key(staged, 's', 'p.entity'), most))) with ordinality u(entity, n)
      order by u.n;
  end loop;
end
$$;
comment on function imago.find_unreachable(imago.plan, integer) is 'Entities that the view pending lists and the source does not have, at most so many a stage. Null stands for rows without a key. Reads all of the view.';
