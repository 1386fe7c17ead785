create or replace function imago.expect_writable(moving boolean default true)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  reason text := imago.read_only_reason(moving);
begin
  if reason is not null then
    perform imago.raise_error('IM064', reason);
  end if;
end
$$;
comment on function imago.expect_writable(boolean) is 'For calls that have no status of their own: refuses while the database is read-only (IM064).';
