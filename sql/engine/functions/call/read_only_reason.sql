create or replace function imago.read_only_reason(moving boolean default true)
returns text
language sql
stable
set search_path = ''
as $$
  select case
    when pg_catalog.pg_is_in_recovery() then 'this server is a standby, which takes no writes until it is promoted'
    -- A transaction may be made writable by hand, to free some space: that is not what we do.
    when current_setting('default_transaction_read_only') = 'on' and (moving or current_setting('transaction_read_only') = 'on')
    then 'the database is read-only (default_transaction_read_only = on); on Supabase because its disk is nearly full'
    when current_setting('transaction_read_only') = 'on' then 'the transaction of this call is read-only'
  end
$$;
comment on function imago.read_only_reason(boolean) is 'Why nothing can be written at the moment, in words; null where it can. Moving also waits in a transaction that was made writable while the database is read-only.';
