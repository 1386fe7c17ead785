-- Stands in for pg_net and Vault, which are server extensions: what a job needs of them, with their signatures and rights.
-- Requests stay in the queue; nothing is sent, and secrets are not encrypted.
create schema net;

create table net.http_request_queue (
  id bigint generated always as identity,
  method text not null,
  url text not null,
  headers jsonb not null,
  body bytea,
  timeout_milliseconds integer not null
);

create function net.http_post(
  url text,
  body jsonb default '{}',
  params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds integer default 2000
)
returns bigint
language plpgsql
as $$
declare
  request bigint;
begin
  if headers ->> 'Content-Type' is distinct from 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  insert into net.http_request_queue as q (method, url, headers, body, timeout_milliseconds)
  values ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
  returning q.id into request;
  return request;
end
$$;

create schema vault;

create table vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text unique,
  secret text not null
);

create view vault.decrypted_secrets as
select id, name, 'encrypted'::text as secret, secret as decrypted_secret from vault.secrets;

create function vault.create_secret(
  new_secret text,
  new_name text default null,
  new_description text default '',
  new_key_id uuid default null
)
returns uuid
language sql
security definer
set search_path = ''
as $$ insert into vault.secrets (name, secret) values (new_name, new_secret) returning id $$;

grant usage on schema net, vault to postgres;
grant all on net.http_request_queue to postgres;
grant select on vault.decrypted_secrets to postgres;
