create or replace function staging_to_production.make_kept_status()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  create table if not exists staging_to_production.kept_status (id text primary key, status text);
  perform imago.close_table('staging_to_production.kept_status');
  comment on table staging_to_production.kept_status is 'Bookings whose status was none and became SCHEDULED, with what it was. Clean-up drops it.';
end
$$;
comment on function staging_to_production.make_kept_status() is 'Finalize step: the table for statuses that were none.';
