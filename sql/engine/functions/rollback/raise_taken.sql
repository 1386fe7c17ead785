create or replace function imago.raise_taken(taken jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  raise exception using errcode = 'IMDRY', message = 'taken back', detail = taken::text;
end
$$;
comment on function imago.raise_taken(jsonb) is 'Ends the trial of return_query within its statement. Neither foreign keys nor later triggers of the app look at what it has inserted.';
