create or replace function imago.expect_taken_back(
  plan imago.plan,
  keys text[],
  counts jsonb,
  present bigint,
  before jsonb,
  after jsonb,
  journaled jsonb
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  kept jsonb;
begin
  -- What was done is what was asked for, and nothing else was written to these tables: then all is as it should be.
  -- Null: not known.
  if present = (select coalesce(sum(c.value::bigint), 0) from jsonb_each_text(counts) c where c.key like '%:removed')
     and not exists (
       select from jsonb_each(after) a
       where (a.value ->> 'inserted')::bigint - (before -> a.key ->> 'inserted')::bigint > coalesce((counts ->> (a.key || ':returned'))::bigint, 0)
          or (a.value ->> 'updated')::bigint - (before -> a.key ->> 'updated')::bigint
             > coalesce((counts ->> a.key)::bigint, 0) + coalesce((counts ->> (a.key || ':detached'))::bigint, 0)) then
    return;
  end if;
  kept := imago.find_kept(plan, keys);
  if kept <> '[]' then
    perform imago.expect_same_journal(plan, keys, journaled);
    perform imago.raise_kept(kept);
  end if;
end
$$;
comment on function imago.expect_taken_back(imago.plan, text[], jsonb, bigint, jsonb, jsonb, jsonb) is 'Raises IM061 for rows that are not gone, or not as they were. Looks row by row only where the server counts other writes than the rollback made.';
