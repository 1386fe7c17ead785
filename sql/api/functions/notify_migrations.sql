create or replace function public.notify_migrations(ways text default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.set_notify(ways);
end
$$;
comment on function public.notify_migrations(text) is 'Imago: says how people are told when a run changes its state, is held for a minute or sets its first entity aside. Each way is tried once. Without an argument nothing changes, and you see what became of the last messages.

ways: net (a webhook by pg_net; its address is the secret imago_notify_url of the Vault), driver (one by npm run migrate, from IMAGO_NOTIFY_URL), realtime (a private channel imago:<plan>), or several with commas; an empty text turns it off.';
