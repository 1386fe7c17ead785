create or replace function imago.set_unreachable_aside(run imago.run, plan imago.plan, keys text[])
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  entities text[];
begin
  if run.direction <> 'forward' or keys = '{}' then
    return 0;
  end if;
  entities := imago.unreachable_keys(plan, array_remove(keys, null));
  return case when entities = '{}' then 0 else imago.note_unreachable(run, plan, entities) end
    + case when array_position(keys, null) is null then 0 else imago.note_unreachable(run, plan, array[null::text]) end;
end
$$;
comment on function imago.set_unreachable_aside(imago.run, imago.plan, text[]) is 'Sets aside those of the keys that are pending in a stage and not in its source, and null; says how many are new.';
