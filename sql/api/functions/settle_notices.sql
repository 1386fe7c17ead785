create or replace function public.settle_notices(
  sent bigint[] default '{}',
  failed bigint[] default '{}',
  outcome text default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.settle_notices(sent, failed, outcome);
end
$$;
comment on function public.settle_notices(bigint[], bigint[], text) is 'Imago: says which of the messages that a driver has taken were sent, and which failed and with what. These come again later.';
