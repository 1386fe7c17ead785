create or replace function imago.forget_key(plan_name text, stage integer, entity text)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  lines bigint;
begin
  update imago.log l set
    entity = nullif(l.entity, forget_key.entity),
    detail = case when l.entity = forget_key.entity then l.detail - 'row_key' else l.detail end
      || case when l.detail ? 'keys' then jsonb_build_object('keys', (l.detail -> 'keys') - forget_key.entity) else '{}' end
  where l.plan = plan_name and coalesce((l.detail ->> 'stage')::integer, 1) = forget_key.stage
    and (l.entity = forget_key.entity or jsonb_typeof(l.detail -> 'keys') = 'array' and l.detail -> 'keys' ? forget_key.entity);
  get diagnostics lines = row_count;
  update imago.validation_check c set keys = array_remove(c.keys, forget_key.entity)
  from imago.validation v
  where v.id = c.validation and v.plan = plan_name and forget_key.entity = any (c.keys);
  return lines;
end
$$;
comment on function imago.forget_key(text, integer, text) is 'Takes the key of an entity out of the log and of the findings of validations; how many lines of the log named it. Those lines stay, with codes and counts.';
