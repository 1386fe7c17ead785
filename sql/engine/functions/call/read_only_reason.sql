create or replace function imago.read_only_reason(moving boolean default true)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(
      -- A transaction may be made writable by hand, to free some space: that is not what we do.
      case when moving or current_setting('transaction_read_only') = 'on' then imago.read_only_database() end,
      case when current_setting('transaction_read_only') = 'on' then 'the transaction of this call is read-only' end));
end
$$;
comment on function imago.read_only_reason(boolean) is 'Why nothing can be written at the moment, in words; null where it can. Moving also waits in a transaction that was made writable while the database is read-only.';
