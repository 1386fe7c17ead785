create or replace function imago.judge_fill(relation oid, name text, sources oid[], routine text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- It counts as immutable: its answer becomes part of the plan, which is made again after whatever changes what writes of the
  -- table have to obey.
  return imago.may_fill(relation, name, sources, routine);
end
$$;
comment on function imago.judge_fill(oid, text, oid[], text) is 'may_fill, asked when the query of a fill trigger is planned.';
