create or replace function imago.read_only_database()
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select case
      when pg_catalog.pg_is_in_recovery() then 'this server is a standby, which takes no writes until it is promoted'
      when current_setting('default_transaction_read_only') = 'on'
      then 'the database is read-only (default_transaction_read_only = on); on Supabase because its disk is nearly full'
    end);
end
$$;
comment on function imago.read_only_database() is 'Why this database takes no writes at the moment, in words; null where it does. Whatever this one call''s transaction is.';
