create or replace function imago.expect_session(writing boolean default true)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if writing and current_setting('session_replication_role') = 'replica' then
    perform imago.raise_error('IM062');
  end if;
  -- What was committed while we waited for a lock has to be seen.
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    perform imago.raise_error('IM063', current_setting('transaction_isolation'));
  end if;
end
$$;
comment on function imago.expect_session(boolean) is 'Refuses sessions in which moving would go wrong. Triggers do not fire for a replica (IM062, where something is to be written), and a transaction that sees old rows only takes them for all there is (IM063).';
