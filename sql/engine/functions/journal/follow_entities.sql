create or replace function imago.follow_entities(plan_name text, stage integer, was text[], becomes text[])
returns void
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
as $$
declare
  write imago.plan_write;
begin
  for write in
    select w.* from imago.plan_write w where w.plan = plan_name and w.stage = follow_entities.stage and w.undo_table is not null
  loop
    execute format(
      'update imago_undo.%1$I j set entity = m.becomes::%2$s from unnest($1::text[], $2::text[]) m(was, becomes) where j.entity = m.was::%2$s',
      write.undo_table, imago.entity_type(write.undo_table))
    using was, becomes;
  end loop;
  if follow_entities.stage = imago.first_walked(imago.find_plan(plan_name)) then
    update imago.cohort_taken t set keys = array(
      select coalesce(m.becomes, k.key) from unnest(t.keys) k(key) left join unnest(was, becomes) m(was, becomes) on m.was = k.key order by 1)
    where t.plan = plan_name and t.keys && was;
  end if;
  update imago.sync_failure f set entity = m.becomes from unnest(was, becomes) m(was, becomes)
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = m.was;
  update imago.lost_row l set entity = m.becomes from unnest(was, becomes) m(was, becomes)
  where l.plan = plan_name and l.stage = follow_entities.stage and l.entity = m.was;
  update imago.stray_row s set entity = m.becomes from unnest(was, becomes) m(was, becomes)
  where s.plan = plan_name and s.stage = follow_entities.stage and s.entity = m.was;
  -- Who was set aside under a key that is another one's now is not there any more.
  delete from imago.failure f
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = any (becomes) and f.entity <> all (was);
  -- In two steps: keys may have changed places, and there is one row for each.
  update imago.failure f set entity = chr(1) || m.becomes from unnest(was, becomes) m(was, becomes)
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = m.was;
  update imago.failure f set entity = substr(f.entity, 2)
  where f.plan = plan_name and f.stage = follow_entities.stage and f.entity = any (select chr(1) || b from unnest(becomes) b);
end
$$;
comment on function imago.follow_entities(text, integer, text[], text[]) is 'Follows entities whose keys have changed: in a stage''s journal, among those set aside, and in cohorts by key.';
