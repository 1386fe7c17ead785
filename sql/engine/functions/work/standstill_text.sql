create or replace function imago.standstill_text(run imago.run, plan imago.plan)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  remaining record;
  lanes text;
begin
  select string_agg(format('lane %s of the %s pass', l.number, l.pass), ', ' order by l.pass desc, l.number) into lanes
  from (select l.* from imago.lane l where l.run = standstill_text.run.id and not l.done limit 3) l;
  if lanes is not null then
    return lanes || ' unfinished';
  end if;
  select f.* into remaining from imago.find_remaining(run, plan, 1000) f;
  if remaining.keys <> '{}' then
    return format('%s%s still %s%s', imago.counted(plan, cardinality(remaining.keys)), case remaining.outcome when 'incomplete' then ' or more' else '' end,
      case run.direction when 'forward' then 'pending' else 'in the journal' end,
      imago.sample_keys_text(remaining.keys, cardinality(remaining.keys)));
  end if;
  return coalesce((
    select 'check ' || c.name || ' unfinished'
    from imago.validation v
    join imago.validation_check i on i.validation = v.id and not i.done
    join imago.plan_check c on c.id = i.plan_check
    where v.run = standstill_text.run.id
    order by v.id desc, i.position limit 1), 'nothing pending, and no end');
end
$$;
comment on function imago.standstill_text(imago.run, imago.plan) is 'What is to be seen of a run that does not get on. That is: unfinished lanes, up to three keys that are left, or the check that does not end.';
