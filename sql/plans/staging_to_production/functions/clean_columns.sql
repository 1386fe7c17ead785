create or replace function staging_to_production.clean_columns()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  said jsonb := '[]';
begin
  if imago.is_finalized('staging_to_production') then
    return null;
  end if;
  -- They read these columns and tables; the next prepare makes them again.
  drop view if exists staging_to_production.pending, staging_to_production.pending_2;
  said := coalesce(imago.drop_empty_column('staging_to_production', 'public."Booking"', 'newStatus') -> 'warnings', '[]')
    || coalesce(imago.drop_empty_column('staging_to_production', 'public."User"', 'imageId') -> 'warnings', '[]');
  return jsonb_build_object('warnings', said);
end
$$;
comment on function staging_to_production.clean_columns() is 'Clean-up step after a rollback: drops the empty columns that prepare added.';
