create or replace function imago.expect_same_journal(plan imago.plan, keys text[], journaled jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  relation text;
begin
  select c.key into relation from jsonb_each_text(imago.count_journaled(plan, keys)) c where c.value <> journaled ->> c.key limit 1;
  if found then
    perform imago.raise_changed_journal(relation);
  end if;
end
$$;
comment on function imago.expect_same_journal(imago.plan, text[], jsonb) is 'Raises where these entities have more journal, or less, than has been read of them.';
