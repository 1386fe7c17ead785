create or replace function imago.follow_keys(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  staged imago.plan;
  write imago.plan_write;
  wanted text;
begin
  for staged in select s.* from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = plan_name loop
    wanted := imago.found_key_type(staged);
    continue when wanted = staged.key_type;
    for write in select w.* from imago.stage_writes(staged) w loop
      execute format('alter table imago_undo.%I alter column entity type %s using entity::text::%s', write.undo_table, wanted, wanted);
    end loop;
    if staged.stage = 1 then
      update imago.plan p set key_type = wanted where p.name = plan_name;
    else
      update imago.plan_stage t set key_type = wanted where t.plan = plan_name and t.number = staged.stage;
    end if;
  end loop;
end
$$;
comment on function imago.follow_keys(text) is 'Has the journal name entities by the type that their key has now.';
