create or replace function imago.reopen_findings(validation_id bigint)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  validation imago.validation;
begin
  select v.* into validation from imago.validation v where v.id = validation_id;
  if not validation.fixes or not exists (
    select from imago.validation_check i join imago.plan_check c on c.id = i.plan_check
    where i.validation = validation_id and i.found > 0 and c.fix is not null and i.error is null) then
    return false;
  end if;
  -- Walked once more: what has a fix is fixed. What has none is counted again, for a fix of another check may have removed it.
  update imago.validation_check i set
    done = false, cursor_key = null, size = least(i.size, 1000), total = i.total + i.checked, remaining = 0,
    facts = case when c.counts then '{}' else i.facts end
  from imago.plan_check c
  where c.id = i.plan_check and i.validation = validation_id and i.found > 0 and c.source is not null and i.error is null
    and (c.fix is not null or not validation.dry_run);
  return true;
end
$$;
comment on function imago.reopen_findings(bigint) is 'Opens the checks that have found something for the second walk, which fixes; false when nothing can be fixed.';
