create or replace function imago.expect_journal(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  bare bigint;
begin
  select max(r.id) into bare
  from imago.run r
  where r.plan = plan_name and r.direction = 'forward' and not r.backup
    and (exists (select from imago.batch b where b.run = r.id and b.moved > 0)
         -- Its syncs kept none either.
         or r.started_at is not null and exists (select from imago.plan_sync s where s.plan = plan_name));
  if bare is not null then
    perform imago.raise_error('IM009', plan_name, bare::text);
  end if;
end
$$;
comment on function imago.expect_journal(text) is 'Refuses to roll back what was moved without a journal (IM009).';
