-- Stands in for pg_net 0.20, which is a server extension: its tables and functions with their signatures and rights. Here nothing
-- is sent by itself: the process of the embedded Supabase hears of each request when its transaction has committed.
create schema net;

create domain net.http_method as text check (lower(value) in ('get', 'post', 'delete'));

create unlogged table net.http_request_queue (
  id bigserial,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);

create unlogged table net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);

create index on net._http_response (created);

create function net._urlencode_string(string varchar)
returns text
language sql
immutable
set search_path = ''
as $$
  select coalesce(string_agg(
    case when letter ~ '[A-Za-z0-9_.~-]' then letter else regexp_replace(upper(encode(convert_to(letter, 'UTF8'), 'hex')), '(..)', '%\1', 'g') end,
    '' order by place), '')
  from regexp_split_to_table(string, '') with ordinality letters (letter, place)
$$;

create function net._encode_url_with_params_array(url text, params_array text[])
returns text
language sql
immutable
set search_path = ''
as $$
  select case when cardinality(params_array) = 0 then url
    else url || case when url like '%?%' then '&' else '?' end || array_to_string(params_array, '&') end
$$;

create function net.wake()
returns void
language sql
set search_path = ''
as $$ select pg_catalog.pg_notify('pg_net', '') $$;

create function net.worker_restart()
returns boolean
language sql
set search_path = ''
as $$ select true $$;

create function net.wait_until_running()
returns void
language sql
set search_path = ''
as $$ select $$;

create function net.check_worker_is_up()
returns void
language sql
set search_path = ''
as $$ select $$;

create function net.queue_request(method text, url text, params jsonb, headers jsonb, body bytea, timeout_milliseconds integer)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  request bigint;
begin
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (
    method,
    net._encode_url_with_params_array(url, array(
      select net._urlencode_string(key) || '=' || net._urlencode_string(value) from pg_catalog.jsonb_each_text(params))),
    headers, body, timeout_milliseconds)
  returning id into request;
  perform net.wake();
  return request;
end
$$;

create function net.http_get(
  url text,
  params jsonb default '{}',
  headers jsonb default '{}',
  timeout_milliseconds integer default 5000
)
returns bigint
language sql
security definer
set search_path = net
as $$ select net.queue_request('GET', url, params, headers, null, timeout_milliseconds) $$;

create function net.http_post(
  url text,
  body jsonb default '{}',
  params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds integer default 5000
)
returns bigint
language plpgsql
security definer
set search_path = net
as $$
declare
  content_type text := (select value from jsonb_each_text(headers) where lower(key) = 'content-type' limit 1);
begin
  if content_type <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  return net.queue_request('POST', url, params,
    case when content_type is null then coalesce(headers, '{}') || '{"Content-Type": "application/json"}' else headers end,
    convert_to(body::text, 'UTF8'), timeout_milliseconds);
end
$$;

create function net.http_delete(
  url text,
  params jsonb default '{}',
  headers jsonb default '{}',
  timeout_milliseconds integer default 5000,
  body jsonb default null
)
returns bigint
language sql
security definer
set search_path = net
as $$ select net.queue_request('DELETE', url, params, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds) $$;

grant usage on schema net to public;
grant all on all tables in schema net to public;
grant all on all sequences in schema net to public;

revoke all on function net.http_get, net.http_post, net.http_delete, net.queue_request from public;
grant execute on function net.http_get, net.http_post, net.http_delete to postgres, anon, authenticated, service_role, supabase_functions_admin;
