create or replace function imago.claims_left(run imago.run)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select case when bool_or(c.token is null or c.expires_at <= clock_timestamp()) then 'external' when count(*) > 0 then 'claimed' end
    from imago.claimed_entity c where c.run = claims_left.run.id);
end
$$;
comment on function imago.claims_left(imago.run) is 'Whether a run waits for what was handed out. external where some of it is to be handed out again, claimed where others have it, else null.';
