create or replace function staging_to_production.drop_status()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  alter table public."Booking" drop column if exists "oldStatus";
end
$$;
comment on function staging_to_production.drop_status() is 'Finalize step: drops the text column; nothing is rewritten.';
