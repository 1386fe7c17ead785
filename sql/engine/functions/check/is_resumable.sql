create or replace function imago.is_resumable(validation imago.validation)
returns boolean
language sql
volatile
set search_path = ''
as $$
  -- Older counts say little about the data of now.
  select validation.state <> 'done' and validation.updated_at > clock_timestamp() - interval '1 hour'
$$;
comment on function imago.is_resumable(imago.validation) is 'Whether a validation that was begun is gone on with, by the next caller with the same options.';
