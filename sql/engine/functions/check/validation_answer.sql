create or replace function imago.validation_answer(validation_id bigint, status text, detailed boolean, started timestamptz)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select imago.validation_report(v, array(select i from imago.validation_check i where i.validation = v.id), status, detailed, started)
  from imago.validation v
  where v.id = validation_id
$$;
comment on function imago.validation_answer(bigint, text, boolean, timestamptz) is 'The JSON that validate_migration returns of a validation that is written down.';
