create or replace function imago.may_be_lost(plan imago.plan, keys text[])
returns boolean
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again in each batch.
as $$
begin
  return exists (
    select from imago.lost_row l
    where l.plan = plan.name and l.stage = plan.stage and (l.entity is null or l.entity = any (may_be_lost.keys)));
end
$$;
comment on function imago.may_be_lost(imago.plan, text[]) is 'Whether the app may have given journaled rows of these entities keys that the journal does not know.';
