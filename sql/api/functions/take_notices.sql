create or replace function public.take_notices(most integer default 20)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.take_notices(most);
end
$$;
comment on function public.take_notices(integer) is 'Imago: messages that a driver is to send, taken for a minute. npm run migrate does so by itself.';
