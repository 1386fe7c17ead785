create or replace function imago.latest_end_validation(run imago.run, since timestamptz)
returns imago.validation
language plpgsql
volatile
set search_path = ''
as $$
begin
  return (
    select v from imago.validation v
    where v.run = latest_end_validation.run.id and v.created_at >= since
    order by v.id desc limit 1);
end
$$;
comment on function imago.latest_end_validation(imago.run, timestamptz) is 'The newest checks that the end of a run has asked for since its last lane ended; null where there are none.';
